package network

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// TestAnswers: the name server knows the name of the machine and localhost, and for others says to try again.
func TestAnswers(t *testing.T) {
	s := &nameServer{host: "Web.example.org", addresses: []netip.Addr{Own[0].Addr(), Own[1].Addr()}}
	for _, tc := range []struct {
		name  string
		kind  dnsmessage.Type
		code  dnsmessage.RCode
		wants []string
	}{
		{"web.example.org.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"192.0.2.2"}},
		{"WEB.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, []string{"fd00:0:0:192::2"}},
		{"web.", dnsmessage.TypeMX, dnsmessage.RCodeSuccess, nil},
		{"localhost.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, []string{"127.0.0.1"}},
		{"example.org.", dnsmessage.TypeA, dnsmessage.RCodeServerFailure, nil},
		{".", dnsmessage.TypeNS, dnsmessage.RCodeServerFailure, nil},
	} {
		question := dnsmessage.Message{
			Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
			Questions: []dnsmessage.Question{
				{Name: dnsmessage.MustNewName(tc.name), Type: tc.kind, Class: dnsmessage.ClassINET},
			},
		}
		packed, err := question.Pack()
		if err != nil {
			t.Fatal(err)
		}
		data, ok := s.answer(packed)
		var m dnsmessage.Message
		if err := m.Unpack(data); !ok || err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var got []string
		for _, a := range m.Answers {
			switch body := a.Body.(type) {
			case *dnsmessage.AResource:
				got = append(got, netip.AddrFrom4(body.A).String())
			case *dnsmessage.AAAAResource:
				got = append(got, netip.AddrFrom16(body.AAAA).String())
			}
		}
		if m.RCode != tc.code || m.ID != 7 || !m.Response || !slices.Equal(got, tc.wants) {
			t.Errorf("%s %v: %v, %q, want %v, %q", tc.name, tc.kind, m.RCode, got, tc.code, tc.wants)
		}
		if _, ok := s.answer(data); ok {
			t.Errorf("%s: an answer is answered", tc.name)
		}
	}
	const loop = "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c"
	for _, garbage := range []string{"", "short", "0123456789ab", loop} {
		if _, ok := s.answer([]byte(garbage)); ok {
			t.Errorf("%q is answered", garbage)
		}
	}
}

// TestDefaultInterface reads /proc/net/route.
func TestDefaultInterface(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for routes, want := range map[string]string{
		"": "", head: "",
		head + "br0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
			"ens3\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n": "ens3",
	} {
		if got := defaultInterface(routes); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
