package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"temper/internal/verdict"
)

// lastRun is the run of a unit that ended in a failure, as systemd logged it.
type lastRun struct {
	failed   bool
	started  bool          // its start job was done
	begin    time.Time     // when the start job was done; else when it began
	lasted   time.Duration // from then until it failed
	ended    string        // in words
	evidence []verdict.Evidence
}

// Messages of systemd by which a run is followed; see sd-messages(3).
const (
	messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStarted  = "39f53479d3a045ac8e11786248231fbf"
	messageFailed   = "be02cf6855d2428ba40df7e9d022f03d" // the start job failed
	messageResult   = "d9b373ed55a64feb8242e02dbe79a49c" // the unit entered the failed state
	messageExit     = "98e322203f7a4ed290d09fe03c09fe15" // a process of it exited
)

// journalEntry has the fields of an entry that matter here; those that are no text are left empty.
type journalEntry struct {
	id, message, pid, exit, status string
	at                             time.Time
}

func (e *journalEntry) UnmarshalJSON(data []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	text := func(name string) string { s, _ := fields[name].(string); return s }
	micros, err := strconv.ParseInt(text("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return fmt.Errorf("an entry of the journal has no time: %w", err)
	}
	*e = journalEntry{text("MESSAGE_ID"), text("MESSAGE"), text("_PID"), text("EXIT_CODE"), text("EXIT_STATUS"), time.UnixMicro(micros)}
	return nil
}

// maxEvidence is how many lines of a service's log go into a verdict.
const maxEvidence = 10

// readRun follows a run through its entries, one JSON object a line, the oldest first. What the service itself says is kept as
// evidence and decides nothing: only messages of PID 1 do.
func readRun(log []byte) (lastRun, error) {
	var r lastRun
	var exits, lines []verdict.Evidence
	decoder := json.NewDecoder(bytes.NewReader(log))
	for decoder.More() {
		var e journalEntry
		if err := decoder.Decode(&e); err != nil {
			return r, fmt.Errorf("read the journal: %w", err)
		}
		if e.pid != "1" {
			if e.message != "" {
				lines = append(lines, verdict.Evidence{Kind: "log", Text: printable(e.message)})
			}
			continue
		}
		switch e.id {
		case messageStarting:
			r = lastRun{begin: e.at}
		case messageStarted:
			r.started, r.begin = true, e.at
		case messageExit:
			exits = append(exits, verdict.Evidence{Kind: "exit", Text: e.exit + " " + e.status})
		case messageFailed, messageResult:
			if !r.failed {
				r.failed, r.lasted = true, e.at.Sub(r.begin)
			}
			if e.id == messageResult {
				r.ended = printable(e.message)
			}
		}
	}
	if len(exits) > 0 {
		r.ended = "status " + exits[len(exits)-1].Text
	}
	r.evidence = append(exits, lines[max(0, len(lines)-maxEvidence):]...)
	if r.evidence == nil {
		r.evidence = []verdict.Evidence{}
	}
	return r, nil
}

// printable makes a line of a log harmless for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// patience is how long to wait until the journal has the end of a run.
const patience = 5 * time.Second

// lastRun reads the run of a unit that has failed. systemd tells which it was since version 251; before, it is the unit's last.
func (w *warden) lastRun(ctx context.Context, name string) (lastRun, error) {
	id := os.Getenv("MONITOR_INVOCATION_ID")
	if id == "" || os.Getenv("MONITOR_UNIT") != name {
		var err error
		if id, err = w.invocation(name); err != nil {
			return lastRun{}, err
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		log, err := exec.CommandContext(ctx, "journalctl", "--quiet", "--output=json",
			"_PID=1", "INVOCATION_ID="+id, "+", "_SYSTEMD_INVOCATION_ID="+id).Output()
		if err != nil {
			return lastRun{}, fmt.Errorf("journalctl: %w", err)
		}
		run, err := readRun(log)
		if err != nil || run.failed || time.Now().After(end) {
			return run, err
		}
	}
}

const (
	systemdName = "org.freedesktop.systemd1"
	managerName = systemdName + ".Manager"
	unitName    = systemdName + ".Unit"
)

// property reads a property of a unit.
func property[T any](w *warden, name, property string) (T, error) {
	var path dbus.ObjectPath
	var value T
	manager := w.place.Bus().Object(systemdName, "/org/freedesktop/systemd1")
	if err := manager.Call(managerName+".LoadUnit", 0, name).Store(&path); err != nil {
		return value, fmt.Errorf("look up %s: %w", name, err)
	}
	v, err := w.place.Bus().Object(systemdName, path).GetProperty(unitName + "." + property)
	if err != nil {
		return value, fmt.Errorf("%s of %s: %w", property, name, err)
	}
	return value, v.Store(&value)
}

func (w *warden) invocation(name string) (string, error) {
	id, err := property[[]byte](w, name, "InvocationID")
	return hex.EncodeToString(id), err
}

// known lists the units that systemd has loaded under names of a pattern.
func (w *warden) known(ctx context.Context, pattern string) ([]string, error) {
	var units [][]any
	manager := w.place.Bus().Object(systemdName, "/org/freedesktop/systemd1")
	if err := manager.CallWithContext(ctx, managerName+".ListUnitsByPatterns", 0, []string{}, []string{pattern}).Store(&units); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	var names []string
	for _, u := range units {
		if name, ok := u[0].(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// upSince is when an active unit became active; the zero time where it is not active.
func (w *warden) upSince(_ context.Context, name string) (time.Time, error) {
	state, err := property[string](w, name, "ActiveState")
	if err != nil || state != "active" {
		return time.Time{}, err
	}
	micros, err := property[uint64](w, name, "ActiveEnterTimestamp")
	return time.UnixMicro(int64(micros)), err
}

// restartLimit is how long a unit may take to start with its vendor's settings before they count as no better.
const restartLimit = 2 * time.Minute

// restart starts a unit that has failed, and wants to see it up for a while; a unit that is done at once must not have failed.
func (w *warden) restart(ctx context.Context, name string, settle time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, restartLimit+settle)
	defer cancel()
	manager := w.place.Bus().Object(systemdName, "/org/freedesktop/systemd1")
	manager.CallWithContext(ctx, managerName+".ResetFailedUnit", 0, name) // it need not have failed for good
	var job dbus.ObjectPath
	if err := manager.CallWithContext(ctx, managerName+".RestartUnit", 0, name, "replace").Store(&job); err != nil {
		return err
	}
	for {
		state, err := property[string](w, name, "ActiveState")
		if err != nil {
			return err
		}
		since, err := w.upSince(ctx, name)
		id, _ := property[struct {
			ID   uint32
			Path dbus.ObjectPath
		}](w, name, "Job")
		switch {
		case err != nil:
			return err
		case id.ID == 0 && state == "failed":
			return errors.New("it has failed")
		case id.ID == 0 && state == "inactive", state == "active" && time.Since(since) >= settle:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
