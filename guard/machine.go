package guard

import (
	"context"
	"time"

	"temper/internal/journal"
	"temper/internal/systemd"
)

// A Manager is what the guard wants of systemd; [systemd.Client] is one.
type Manager interface {
	Service(ctx context.Context, name string) (systemd.Service, error)
	Units(ctx context.Context, states, patterns []string) ([]systemd.UnitStatus, error)
	StartUnit(ctx context.Context, name string) (result string, err error)
	StopUnit(ctx context.Context, name string) (result string, err error)
	ResetFailed(ctx context.Context, name string) error
}

// A runLog is what systemd and services have logged; journalctl reads the machine's.
type runLog interface {
	// systemd returns what PID 1 logged about the runs of a unit, the newest first, and of old ones not all.
	systemd(ctx context.Context, unit string) ([]entry, error)
	// service returns the last lines that a run of a service has logged, the newest first.
	service(ctx context.Context, invocation string) ([]entry, error)
}

// journalctl reads the journal of this machine. It never reads more than the limits below, whatever a service logs.
type journalctl struct{}

const (
	mostMessages = 500     // of systemd about a unit
	mostLines    = 10      // of a service
	mostBytes    = 4 << 20 // of messages
	readWithin   = time.Minute
)

// The fields of PID 1 are its own: _PID is what the kernel says of who sent an entry.
func (journalctl) systemd(ctx context.Context, unit string) ([]entry, error) {
	match := []string{"_PID=1", "UNIT=" + unit}
	for _, id := range append([]string{messageStarting, messageStarted}, endings...) {
		match = append(match, "MESSAGE_ID="+id)
	}
	fields := []string{"MESSAGE_ID", "INVOCATION_ID", "MESSAGE", "EXIT_CODE", "EXIT_STATUS"}
	return newest(ctx, journal.Query{Last: mostMessages, Short: true, Fields: fields, Match: match})
}

func (journalctl) service(ctx context.Context, invocation string) ([]entry, error) {
	match := []string{"_SYSTEMD_INVOCATION_ID=" + invocation}
	return newest(ctx, journal.Query{Last: mostLines, Short: true, Fields: []string{"MESSAGE"}, Match: match})
}

// newest reads the newest entries that a query finds. What is older than the limit allows does not matter.
func newest(ctx context.Context, q journal.Query) (entries []entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	size := 0
	err = journal.Read(ctx, journal.Machine{}, q, func(e journal.Entry) bool {
		entries = append(entries, newEntry(e))
		size += entrySize + len(entries[len(entries)-1].message)
		return size < mostBytes
	})
	return entries, err
}
