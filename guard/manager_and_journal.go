package guard

import (
	"context"
	"time"

	"temper/internal/journal"
	"temper/internal/systemd"
)

// A Manager is the part of systemd that the guard uses; [systemd.Client] implements it.
type Manager interface {
	Service(ctx context.Context, name string) (systemd.Service, error)
	Units(ctx context.Context, states, patterns []string) ([]systemd.UnitStatus, error)
	StartUnit(ctx context.Context, name string) (result string, err error)
	StopUnit(ctx context.Context, name string) (result string, err error)
	ResetFailed(ctx context.Context, name string) error
}

// A runLog returns what systemd and services have logged. The type journalctl reads the journal of this machine.
type runLog interface {
	// systemd returns what PID 1 logged about the runs of a unit, the newest entry first. Old entries may be missing.
	systemd(ctx context.Context, unit string) ([]entry, error)
	// service returns the last lines that a run of a service has logged, the newest line first.
	service(ctx context.Context, invocation string) ([]entry, error)
}

// journalctl reads the journal of this machine. It never reads more than the limits below, whatever a service logs.
type journalctl struct{}

const (
	maxMessages = 500     // of systemd about a unit
	maxLines    = 10      // of a service
	maxBytes    = 4 << 20 // of all messages
	readTimeout = time.Minute
)

// systemd selects entries by _PID, which no other process can set: journald takes it from the kernel.
func (journalctl) systemd(ctx context.Context, unit string) ([]entry, error) {
	match := []string{"_PID=1", "UNIT=" + unit}
	for _, id := range append([]string{messageStarting, messageStarted}, endings...) {
		match = append(match, "MESSAGE_ID="+id)
	}
	fields := []string{"MESSAGE_ID", "INVOCATION_ID", "MESSAGE", "EXIT_CODE", "EXIT_STATUS"}
	return newest(ctx, journal.Query{Last: maxMessages, Short: true, Fields: fields, Match: match})
}

func (journalctl) service(ctx context.Context, invocation string) ([]entry, error) {
	match := []string{"_SYSTEMD_INVOCATION_ID=" + invocation}
	return newest(ctx, journal.Query{Last: maxLines, Short: true, Fields: []string{"MESSAGE"}, Match: match})
}

// newest reads the newest entries that match a query, up to maxBytes.
func newest(ctx context.Context, q journal.Query) (entries []entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	size := 0
	err = journal.Read(ctx, journal.Machine{}, q, func(e journal.Entry) bool {
		entries = append(entries, newEntry(e))
		size += entrySize + len(entries[len(entries)-1].message)
		return size < maxBytes
	})
	return entries, err
}
