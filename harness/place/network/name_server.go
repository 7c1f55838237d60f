package network

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A nameServer answers the container's questions for names; RFC 1035. It knows the host name of the container and
// localhost. For any other name its answer is that of a server which reaches no other: try again later.
type nameServer struct {
	conn      *net.UDPConn
	host      string
	addresses []netip.Addr
	done      chan struct{} // closed when it has ended
}

// newNameServer starts a name server at an address of the calling thread's network.
func newNameServer(at netip.Addr, m Machine) (*nameServer, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 53)))
	if err != nil {
		return nil, err
	}
	s := &nameServer{conn: conn, host: m.Hostname, done: make(chan struct{})}
	for _, p := range Own {
		s.addresses = append(s.addresses, p.Addr())
	}
	go s.serve()
	return s, nil
}

// close ends the name server.
func (s *nameServer) close() error {
	err := s.conn.Close()
	<-s.done
	return err
}

// pause bounds the time of the machine that the container can take by asking: it comes after each answer.
const pause = time.Millisecond

func (s *nameServer) serve() {
	defer close(s.done)
	question := make([]byte, 512)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(question)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			if answer, ok := s.answer(question[:n]); ok {
				_, _ = s.conn.WriteToUDPAddrPort(answer, from) // who asks hears nothing and asks again
			}
		}
		time.Sleep(pause)
	}
}

// answer returns the answer to a message; ok is false for one that is no question.
func (s *nameServer) answer(message []byte) (answer []byte, ok bool) {
	var p dnsmessage.Parser
	head, err := p.Start(message)
	if err != nil || head.Response {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	addresses, known := s.lookup(q.Name.String())
	head = dnsmessage.Header{
		ID: head.ID, Response: true, OpCode: head.OpCode, RecursionDesired: head.RecursionDesired,
		RecursionAvailable: true, Authoritative: known,
	}
	if !known {
		head.RCode = dnsmessage.RCodeServerFailure
	}
	reply := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	for _, a := range addresses {
		if body := resource(q.Type, a); body != nil && q.Class == dnsmessage.ClassINET {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: body,
			})
		}
	}
	answer, err = reply.Pack()
	return answer, err == nil
}

// lookup returns the addresses of a name that the server knows. Names are the same in upper and lower case.
func (s *nameServer) lookup(name string) (addresses []netip.Addr, known bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	short, _, _ := strings.Cut(strings.ToLower(s.host), ".")
	switch name {
	case "":
		return nil, false
	case "localhost":
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, true
	case strings.ToLower(s.host), short:
		return s.addresses, true
	}
	return nil, false
}

// resource returns a resource of a type for an address; nil if it has none.
func resource(kind dnsmessage.Type, a netip.Addr) dnsmessage.ResourceBody {
	switch {
	case kind == dnsmessage.TypeA && a.Is4():
		return &dnsmessage.AResource{A: a.As4()}
	case kind == dnsmessage.TypeAAAA && a.Is6():
		return &dnsmessage.AAAAResource{AAAA: a.As16()}
	}
	return nil
}
