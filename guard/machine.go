package guard

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"temper/internal/systemd"
)

// A Manager is what the guard wants of systemd; [systemd.Client] is one.
type Manager interface {
	Service(ctx context.Context, name string) (systemd.Service, error)
	Units(ctx context.Context, states, patterns []string) ([]systemd.UnitStatus, error)
	StartUnit(ctx context.Context, name string) (result string, err error)
	ResetFailed(ctx context.Context, name string) error
}

// A journal is what systemd and services have logged; [Journalctl] reads the machine's.
type journal interface {
	// systemd returns what PID 1 logged about the runs of a unit in this boot, the newest first, and of old ones not all.
	systemd(ctx context.Context, unit string) ([]entry, error)
	// service returns the last lines that a run of a service has logged, the newest first.
	service(ctx context.Context, invocation string) ([]entry, error)
}

// journalctl reads the journal of this machine. It never reads more than the limits below, whatever a service logs.
type journalctl struct{}

const (
	mostMessages = 500     // of systemd about a unit
	mostLines    = 10      // of a service
	mostBytes    = 4 << 20 // of output
)

// The fields of PID 1 are its own: _PID is what the kernel says of who sent an entry.
func (journalctl) systemd(ctx context.Context, unit string) ([]entry, error) {
	find := []string{
		"--boot", fmt.Sprintf("--lines=%d", mostMessages), "--output-fields=MESSAGE_ID,INVOCATION_ID,MESSAGE,EXIT_CODE,EXIT_STATUS", "_PID=1", "UNIT=" + unit,
	}
	for _, id := range append([]string{messageStarting, messageStarted}, endings...) {
		find = append(find, "MESSAGE_ID="+id)
	}
	return query(ctx, find...)
}

func (journalctl) service(ctx context.Context, invocation string) ([]entry, error) {
	return query(ctx, "--boot", fmt.Sprintf("--lines=%d", mostLines), "--output-fields=MESSAGE", "_SYSTEMD_INVOCATION_ID="+invocation)
}

// query reads the newest entries that journalctl finds.
func query(ctx context.Context, find ...string) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "journalctl", append([]string{"--quiet", "--no-pager", "--reverse", "--output=json"}, find...)...)
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("journalctl: %w", err)
	}
	limited := &io.LimitedReader{R: out, N: mostBytes}
	entries, err := readEntries(limited)
	if limited.N == 0 { // what is older does not matter
		cancel()
		_ = c.Wait()
		return entries, err
	}
	if ended := c.Wait(); ended != nil && err == nil {
		err = fmt.Errorf("journalctl: %w: %s", ended, strings.TrimSpace(complaint.String()))
	}
	return entries, err
}
