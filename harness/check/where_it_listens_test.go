package check_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"temper/harness/check"
	"temper/profiles"
)

// TestWhereItListens: a check finds the service at the port where it listens now. A socket of the service that does not
// answer costs its share of the time.
func TestWhereItListens(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	listen(t, "tcp", "127.0.0.1:0", func(net.Conn) { <-release })
	two := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.WriteString(c, "hello\n") })
	env := check.Env{Place: here{root: t.TempDir()}, Service: here{}}
	tcp := func(address string, expect profiles.Pattern) profiles.Check {
		return profiles.Check{
			TCP:     &profiles.StreamCheck{Address: address, Expect: expect},
			Timeout: 5 * time.Second, Retry: 20 * time.Second,
		}
	}
	_, port, _ := net.SplitHostPort(two)
	judge(t, env, []row{
		{"elsewhere", tcp("{address:1}", "hello"), true, "hello"},
		{"any port", tcp("127.0.0.1:{port}", "hello"), true, "hello"},
		{"the port expected", tcp("{address:"+port+"}", "hello"), true, "hello"},
		{
			"a command is told", profiles.Check{Exec: &profiles.ExecCheck{
				Command: []string{"echo", "{address:" + port + "}", "{port:" + port + "}"},
				Stdout:  profiles.Pattern(fmt.Sprintf("%s %s\n", two, port)),
			}}, true, "exit status 0",
		},
	})
	gone := check.Env{Place: here{root: t.TempDir()}, Service: noProcess{}}
	judge(t, gone, []row{
		{"no socket", profiles.Check{TCP: &profiles.StreamCheck{Address: "{address:1}"}}, false, "connection refused"},
		{"no port either", profiles.Check{TCP: &profiles.StreamCheck{Address: "{address}"}}, false, "at no address"},
	})
}

// noProcess is a service that has no process.
type noProcess struct{}

func (noProcess) PIDs(context.Context) ([]int, error) { return nil, nil }
