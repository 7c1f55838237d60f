package guard

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"temper/internal/journal"
	"temper/internal/systemd"
)

// A Manager is the part of systemd that the guard uses; [systemd.Client] implements it.
type Manager interface {
	Service(ctx context.Context, name string) (systemd.Service, error)
	Unit(ctx context.Context, name string) (systemd.Properties, error)
	Units(ctx context.Context, states, patterns []string) ([]systemd.UnitStatus, error)
	StartUnit(ctx context.Context, name string) (result string, err error)
	StopUnit(ctx context.Context, name string) (result string, err error)
	ResetFailed(ctx context.Context, name string) error
}

// A runLog returns what systemd and services have logged. The type journalctl reads the journal of this machine.
type runLog interface {
	// systemd returns what PID 1 logged about the runs of a unit, the newest entry first. Old entries may be missing.
	systemd(ctx context.Context, unit string) ([]entry, error)
	// reloads returns when PID 1 was reloaded, as far as that is known.
	reloads(ctx context.Context) []load
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

// reloading is what systemd says before a reload: "Reloading." and "Reloading...". After it, "Reloading finished"
// follows.
const reloading = `^(Reloading|Reexecuting)(\.|…)`

var isReloading = regexp.MustCompile(reloading)

// reloads asks for what systemd says before a reload. That there is none is an error of journalctl, and so is a
// journalctl that does not search; then no reload is known.
func (journalctl) reloads(ctx context.Context) (loads []load) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	query := journal.Query{
		Last: maxMessages, Short: true, Fields: []string{"MESSAGE", sentTime},
		Match: []string{"_PID=1", "--grep=" + reloading},
	}
	_ = journal.Read(ctx, journal.Machine{}, query, func(e journal.Entry) bool {
		sent, err := strconv.ParseInt(e.Text(sentTime), 10, 64)
		if err == nil && isReloading.MatchString(e.Text("MESSAGE")) {
			loads = append(loads, load{began: time.UnixMicro(sent), logged: e.Time()})
		}
		return true
	})
	return loads
}

// sentTime is the field that says when a message was sent; journald may have received it later.
const sentTime = "_SOURCE_REALTIME_TIMESTAMP"

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
