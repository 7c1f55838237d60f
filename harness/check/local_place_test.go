package check_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"temper/harness/check"
	"temper/harness/place"
	"temper/internal/host"
	"temper/profiles"
)

// here is a place without a container: real sockets and processes of this machine, and a directory as file tree.
type here struct {
	root  string
	bus   *dbus.Conn
	shift uint32 // of the users of files
}

func (h here) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (h here) Root() host.Root { return host.At(h.root) }

func (h here) HasProgram(name string) bool { _, err := exec.LookPath(name); return err == nil }

func (h here) IDInside(id uint32) uint32 { return id - h.shift }

func (h here) Inside(f func() error) error { return f() }

func (h here) Leader() int { return os.Getpid() }

// PIDs makes this process the service too.
func (h here) PIDs(context.Context) ([]int, error) { return []int{os.Getpid()}, nil }

func (h here) Bus() *dbus.Conn { return h.bus }

func (h here) Run(ctx context.Context, c place.Command) (place.Result, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.Stdin), &stdout, &stderr
	cmd.Env = append(os.Environ(), c.Env...)
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); exited && ctx.Err() == nil {
		err = nil
	}
	return place.Result{Status: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}, err
}

func (h here) Stream(ctx context.Context, args []string, read func(io.Reader) error) (int, string, error) {
	r, err := h.Run(ctx, place.Command{Args: args})
	return r.Status, r.Stderr, errors.Join(err, read(strings.NewReader(r.Stdout)))
}

// row is one check with the outcome that it should have.
type row struct {
	name   string
	check  profiles.Check
	ok     bool
	detail string // is in the detail
}

func judge(t *testing.T, env check.Env, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			r.check.Name = r.name
			got := check.Run(t.Context(), env, []profiles.Check{r.check}, "running")
			if len(got) != 1 {
				t.Fatalf("got %d outcomes, want 1", len(got))
			}
			if got[0].OK != r.ok || !strings.Contains(got[0].Detail, r.detail) {
				t.Errorf("got ok=%v, detail %q\nwant ok=%v, detail with %q", got[0].OK, got[0].Detail, r.ok, r.detail)
			}
			if strings.ContainsAny(got[0].Detail, "\n\t\x1b") || len(got[0].Detail) > 410 {
				t.Errorf("detail is not one short line: %q", got[0].Detail)
			}
		})
	}
}
