package place_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/testroot"
)

// TestSystemdStream: everything that a command writes can be read while it runs, and the command ends when its reader
// ends.
func TestSystemdStream(t *testing.T) {
	for tree := range testroot.Versions {
		t.Run(tree, func(t *testing.T) {
			p := container(t, place.Options{Image: testroot.Path(t, tree)})
			streams(t, p)
			noRuns(t, p)
		})
	}
}

func streams(t *testing.T, p *place.Place) {
	var size int64
	all := func(output io.Reader) (err error) { size, err = io.Copy(io.Discard, output); return err }
	script := "head -c 20000000 /dev/zero; echo no >&2; exit 7"
	status, stderr, err := p.Stream(t.Context(), []string{"sh", "-c", script}, all)
	if status != 7 || stderr != "no\n" || err != nil || size != 20_000_000 {
		t.Errorf("status %d, stderr %q, %v; %d bytes", status, stderr, err, size)
	}
	if _, _, err = p.Stream(t.Context(), []string{"true"}, all); err != nil || size != 0 {
		t.Errorf("no output: %v, %d bytes", err, size)
	}
	broken := errors.New("broken")
	for name, want := range map[string]error{"enough": nil, "an error": broken} {
		begin := time.Now()
		_, _, err := p.Stream(t.Context(), []string{"yes"}, func(output io.Reader) error {
			_, err := output.Read(make([]byte, 1000))
			return errors.Join(want, err)
		})
		if !errors.Is(err, want) || time.Since(begin) > 20*time.Second {
			t.Errorf("a reader that has %s: %v, after %s", name, err, time.Since(begin))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := p.Stream(ctx, []string{"sleep", "1000"}, all); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("end of the context: %v", err)
	}
}

// TestSystemdStopped: a place whose PID 1 hangs delays nobody.
func TestSystemdStopped(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie")})
	if err := unix.Kill(p.Leader(), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, place.Command{Args: []string{"true"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command: %v", err)
	}
	if _, err := p.Manager().Service(ctx, "dbus.service"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a question: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("its end: %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
