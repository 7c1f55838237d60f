package check_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"temper/harness/check"
	"temper/profiles"
)

// answering is a place whose services answer whatever is sent with the same bytes, and hang up.
type answering struct {
	here
	bytes string
}

func (a answering) Dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, there) }()
	go func() { _, _ = io.WriteString(there, a.bytes); _ = there.Close() }()
	return here, nil
}

// FuzzAnswers holds that every answer of a service is judged in time and correctly, and is described in one short line
// without control characters.
func FuzzAnswers(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.0 301 Moved\r\nLocation: http://[::1\r\n\r\n", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 \r\n\r\nok",
		"220 \x1b[2Jok\r\n", "", "\x00\xff", "HTTP/1.1 999999999999 x\r\n\r\n",
	} {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		checks := []profiles.Check{
			{Name: "tcp", Timeout: 5 * time.Second, TCP: &profiles.StreamCheck{Address: "a:1", Expect: "ok"}},
			{Name: "tcp /", Timeout: 5 * time.Second, TCP: &profiles.StreamCheck{Address: "a:1", Expect: "/^(a|b)*$/"}},
			{Name: "http", Timeout: 5 * time.Second, HTTP: &profiles.HTTPCheck{URL: "http://a/", Body: "ok"}},
		}
		outcomes := check.Run(t.Context(), check.Env{Place: answering{bytes: answer}}, checks, "running")
		for _, o := range outcomes {
			if len(o.Detail) > 410 || o.Detail == "" || !utf8.ValidString(o.Detail) ||
				strings.ContainsFunc(o.Detail, unicode.IsControl) {
				t.Errorf("%s is told as %q", o.Name, o.Detail)
			}
			if o.Took > 4*time.Second {
				t.Errorf("%s took %s", o.Name, o.Took)
			}
		}
		if has := strings.Contains(answer, "ok"); outcomes[0].OK != has {
			t.Errorf("%+v for %q", outcomes[0], answer)
		}
		if outcomes[2].OK && (!strings.Contains(answer, "200") || !strings.Contains(answer, "o")) {
			t.Errorf("%+v for %q", outcomes[2], answer)
		}
	})
}

// FuzzArgument holds that whatever a service says its method takes, an argument becomes a value or an error.
func FuzzArgument(f *testing.F) {
	for _, a := range [][2]string{
		{"['a', 'b']", "as"},
		{"{'a': <1>}", "a{sv}"},
		{"(1, 2)", "(ii)"},
		{"<'x'>", "v"},
		{"b'x\\ff'", "ay"},
		{"true", "b"},
		{"/a", "o"},
		{"a{sv}", "g"},
		{"@as []", "as"},
		{"1e9", "d"},
		{"0x7f", "y"},
		{"[]", "aa{sv}"},
		{"nothing", "ms"},
		{"@b []", ""},
		{"\u2492", "b"},
	} {
		f.Add(a[0], a[1])
	}
	f.Fuzz(func(t *testing.T, text, signature string) {
		if value, err := check.Argument(text, signature); err == nil && value == nil {
			t.Errorf("%q of type %q is nothing", text, signature)
		}
	})
}

func TestArgumentNumbersOfOtherScripts(t *testing.T) {
	if value, err := check.Argument("[1, \u2492]", "ai"); err == nil {
		t.Errorf("a digit of another script is %v", value)
	}
	value, err := check.Argument(`['\'\u2492', "\u2492"]`, "as")
	if want := []string{"'\u2492", "\u2492"}; err != nil || !slices.Equal(value.([]string), want) {
		t.Errorf("%v, %v, want %v", value, err, want)
	}
}
