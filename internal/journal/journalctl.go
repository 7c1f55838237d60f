package journal

import (
	"context"
	"errors"
	"io"
	"os/exec"
)

// Machine is the [System] that is this machine.
type Machine struct{}

// Stream runs a command; see [System].
func (Machine) Stream(
	ctx context.Context, args []string, read func(io.Reader) error,
) (status int, complaints string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := &beginning{}
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Stderr = said
	pipe, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return 0, "", err
	}
	output := &untilEnd{Reader: pipe}
	err = read(output)
	if !output.ended {
		cancel()
		_ = c.Wait() // the error only says that it was killed
		return 0, said.text(), err
	}
	ended := c.Wait()
	if _, exited := errors.AsType[*exec.ExitError](ended); exited && ctx.Err() == nil {
		ended = nil
	}
	return c.ProcessState.ExitCode(), said.text(), errors.Join(err, ended)
}

// untilEnd is a reader that records whether it was read to its end.
type untilEnd struct {
	io.Reader
	ended bool
}

func (u *untilEnd) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.ended = u.ended || errors.Is(err, io.EOF)
	return n, err
}

// beginning is a writer that keeps the first bytes.
type beginning struct{ kept []byte }

const mostComplaints = 4 << 10

func (b *beginning) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), mostComplaints-len(b.kept))]...)
	return len(p), nil
}

func (b *beginning) text() string { return string(b.kept) }
