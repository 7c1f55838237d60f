// Package analyzer computes how exposed a service is, row for row as "systemd-analyze security" does, for any systemd
// version from 247 to 262 and without systemd.
//
// Start with [Score], which takes a unit that [temper/internal/unit.Loader] loaded. [Read] and [Assess] are its two halves:
// what systemd knows about a service once it has loaded it, and what that counts. [Advise] ranks what would gain most,
// [Compare] sets two reports side by side.
//
// The package is pure: it reads no file, starts no process and asks no D-Bus, and can be used by several goroutines at once.
// Reports equal those of
// "systemd-analyze security --offline=yes --json=short" of systemd 252, 257 and 262 to the byte. A version between those
// that were compared (247, 252, 257, 262) is read as the manual pages say; its system call groups are those of the nearest
// version before it. Up to 249, which had no offline mode, a report is what the running system would print. Units of user
// managers are read as if they were the system's.
package analyzer

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"unicode/utf8"

	"temper/analyzer/settings"
	"temper/internal/directive"
	"temper/internal/unit"
)

// Newest is the newest systemd version whose scores were compared.
const Newest = 262

// oldest is the oldest.
const oldest = 247

// SinceJSON is the first version of systemd-analyze with --offline and --json, and with the rows, names and sentences that
// came with them.
const SinceJSON = settings.SinceOffline

// Options say as which systemd a unit is read and scored.
type Options struct {
	Version    int    // systemd's major version, from 247; 0 is Newest, and any later one is read as that
	Arch       string // as uname(1) or Go name it; "" is this machine's
	Libseccomp string // such as "2.5.5"; "" is the one that Debian has beside the systemd version
	Policy     Policy // changes to the rows, as --security-policy= makes them
}

// Report is the exposure of one service.
type Report struct {
	Unit     string
	Fragment string         // path of its unit file; "" if it has none
	Exposure int            // in tenths, from 0 to 100
	Level    string         // PERFECT, SAFE, OK, MEDIUM, EXPOSED, UNSAFE or DANGEROUS
	Rows     []Row          // in the order in which systemd-analyze prints them
	Ignored  []unit.Problem // assignments that systemd passes over, and other things that it warns of

	sum, weights int // what the rows count together, and what they can
}

// Row is one line of the table that systemd-analyze prints.
type Row struct {
	Set         *bool  // whether the row is good; nil if it does not apply
	Name        string // such as "PrivateTmp="
	JSONField   string // its name in JSON and in policies, such as "PrivateTmp"
	Description string // what that means; systemd has no words for ProtectProc=noaccess
	Exposure    Tenths // what the row adds; 0 for a good row, and for one that does not apply

	badness, weight, span int // badness is notApplicable if the row does not count
}

// MarshalJSON writes the row to the byte as systemd-analyze does.
func (r Row) MarshalJSON() ([]byte, error) { return r.append(nil), nil }

func (r *Row) append(b []byte) []byte {
	b = append(b, `{"set":`...)
	switch {
	case r.Set == nil:
		b = append(b, "null"...)
	default:
		b = strconv.AppendBool(b, *r.Set)
	}
	b = appendText(append(b, `,"name":`...), r.Name)
	b = appendText(append(b, `,"json_field":`...), r.JSONField)
	b = append(b, `,"description":`...)
	if r.Description == "" {
		b = append(b, "null"...)
	} else {
		b = appendText(b, r.Description)
	}
	b = append(b, `,"exposure":`...)
	if r.Exposure == 0 {
		b = append(b, "null"...)
	} else {
		b = appendText(b, r.Exposure.String())
	}
	return append(b, '}')
}

// appendText writes a JSON string. Most texts have nothing to escape.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f && !utf8.ValidString(text) {
			quoted, _ := json.Marshal(text) // a string has a JSON form
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// Tenths is an exposure in tenths of a point. As text it is systemd's "0.4".
type Tenths int

// String returns "0.4" for 4, and "" for 0.
func (t Tenths) String() string {
	if t == 0 {
		return ""
	}
	return Points(int(t))
}

// Points writes an exposure in tenths as systemd does: 96 is "9.6".
func Points(tenths int) string { return fmt.Sprintf("%d.%d", tenths/10, tenths%10) }

// MarshalJSON writes {"unit", "exposure", "level", "rows"}, the exposure as a number of points such as 9.6. Assignments
// that systemd ignores follow as "ignored" if there are any.
func (r Report) MarshalJSON() ([]byte, error) {
	type problem struct {
		Path    string `json:"path"`
		Line    int    `json:"line"`
		Message string `json:"message"`
	}
	out := struct {
		Unit     string      `json:"unit"`
		Exposure json.Number `json:"exposure"`
		Level    string      `json:"level"`
		Rows     rows        `json:"rows"`
		Ignored  []problem   `json:"ignored,omitempty"`
	}{Unit: r.Unit, Exposure: json.Number(Points(r.Exposure)), Level: r.Level, Rows: r.Rows}
	for _, p := range r.Ignored {
		out.Ignored = append(out.Ignored, problem{p.Pos.Path, p.Pos.Line, p.Message})
	}
	return json.Marshal(out)
}

// rows are written at one go: most of a report is rows.
type rows []Row

// MarshalJSON writes an array.
func (list rows) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = list[i].append(b)
	}
	return append(b, ']'), nil
}

var (
	// ErrRefused says that systemd does not load the unit; the error tells where and why.
	ErrRefused = settings.ErrRefused
	// ErrMasked says that nothing can start the unit, so that it has no exposure.
	ErrMasked = settings.ErrMasked
	// ErrNotService says that the unit is of another type.
	ErrNotService = settings.ErrNotService
)

// Settings is what exposure is computed from.
type Settings = settings.Settings

// Read returns what a systemd version knows about a service after loading it from these files, what it implies included,
// and the assignments that it ignores with a warning. Errors are those of [Score].
func Read(u *unit.Unit, o Options) (Settings, []unit.Problem, error) {
	reading, err := read(u, o)
	if err != nil {
		return Settings{}, nil, err
	}
	return reading.Settings, reading.Ignored(), nil
}

func read(u *unit.Unit, o Options) (*settings.Reading, error) {
	k, err := o.knowledge()
	if err != nil {
		return nil, err
	}
	return settings.Read(u, settings.Systemd{Version: k.version, Calls: k.calls})
}

// Score reads a unit as systemd loads it and scores it. The error wraps [ErrRefused], [ErrMasked] or [ErrNotService]; any
// other is about the options.
func Score(u *unit.Unit, o Options) (Report, error) {
	s, ignored, err := Read(u, o)
	if err != nil {
		return Report{}, err
	}
	r, err := Assess(s, o)
	r.Ignored = ignored
	return r, err
}

// Sum is [Score] without the rows and what systemd ignores: the exposure and its level, in half the time.
func Sum(u *unit.Unit, o Options) (Report, error) {
	reading, err := read(u, o)
	if err != nil {
		return Report{}, err
	}
	return assess(&reading.Settings, o, nil)
}

// Levels are the names of exposures from the highest down; each holds from Least tenths upwards.
var Levels = []struct {
	Least int
	Name  string
	Face  string // as systemd-analyze draws it on a terminal
}{
	{100, "DANGEROUS", "🤢"},
	{90, "UNSAFE", "😨"},
	{75, "EXPOSED", "🙁"},
	{50, "MEDIUM", "😐"},
	{10, "OK", "🙂"},
	{1, "SAFE", "😀"},
	{0, "PERFECT", "😇"},
}

func levelOf(tenths int) string {
	for _, l := range Levels {
		if tenths >= l.Least {
			return l.Name
		}
	}
	return ""
}

// Valid returns what is wrong with the options, or nil: a version before 247, or an architecture that is not known.
func (o Options) Valid() error {
	_, err := o.knowledge()
	return err
}

// Before reports whether the version to score as is older than another.
func (o Options) Before(version int) bool { return o.version() < version }

// version is the version to read and score as.
func (o Options) version() int {
	if o.Version == 0 {
		return Newest
	}
	return o.Version
}

// knowledge is what an assessor has to know beside the settings.
type knowledge struct {
	version int
	calls   directive.Syscalls
	brief   bool // nobody reads the sentences
}

func (o Options) knowledge() (knowledge, error) {
	if o.version() < oldest {
		return knowledge{}, fmt.Errorf("systemd %d cannot be scored, want %d or newer", o.version(), oldest)
	}
	arch := o.Arch
	if arch == "" {
		arch = runtime.GOARCH
	}
	calls, ok := directive.SyscallsOf(o.version()).On(arch)
	if !ok {
		return knowledge{}, fmt.Errorf("architecture %q is not known, want one such as x86_64 or aarch64", arch)
	}
	if o.Libseccomp != "" {
		calls = calls.With(o.Libseccomp)
	}
	return knowledge{version: o.version(), calls: calls}, nil
}
