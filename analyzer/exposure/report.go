// Package exposure computes what "systemd-analyze security" prints: it has the table of rows, and makes reports that
// equal those of any systemd version from 247 to 262 byte for byte.
//
// Start with [Assess], which scores what systemd knows about a service. [Compare] compares two reports.
// [temper/analyzer] scores unit files, [temper/analyzer/online] the units of a running manager.
//
// The package is pure: it reads no file, starts no process, does not use D-Bus, and can be used by several goroutines
// at once.
package exposure

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Report is the exposure of one service.
type Report struct {
	Unit     string
	Fragment string    // path of its unit file; "" if it has none
	Exposure int       // in tenths, from 0 to 100
	Level    string    // PERFECT, SAFE, OK, MEDIUM, EXPOSED, UNSAFE or DANGEROUS
	Rows     []Row     // in the order in which systemd-analyze prints them
	Ignored  []Problem // assignments that systemd ignores, and other things that it warns about

	sum, weights int // of the badness of all rows, and of the weights of all rows
}

// Problem is something in a unit file that systemd ignores or warns about.
type Problem struct {
	Path    string
	Line    int // 0 stands for the whole file
	Message string
}

// String returns "path:line: message".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Path + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.Message)
}

// Row is one line of the table that systemd-analyze prints.
type Row struct {
	Set         *bool  // whether the row is good; nil if it does not apply
	Name        string // such as "PrivateTmp="
	JSONField   string // its name in JSON and in policies, such as "PrivateTmp"
	Description string // what that means; systemd has no description for ProtectProc=noaccess
	Exposure    Tenths // what the row adds; 0 for a good row, and for a row that does not apply

	badness, weight, span int // badness is notApplicable if the row does not count
}

// MarshalJSON writes the same bytes for the row as systemd-analyze does.
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
			quoted, _ := json.Marshal(text) // no error: every string has a JSON form
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// Tenths is an exposure in tenths of a point. Its text is written as systemd writes it, such as "0.4".
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
		out.Ignored = append(out.Ignored, problem(p))
	}
	return json.Marshal(out)
}

// RowsJSON returns the same bytes as "systemd-analyze security --json=short" prints for the report: an array.
func (r Report) RowsJSON() []byte {
	b, _ := rows(r.Rows).MarshalJSON() // it never fails
	return b
}

// rows has a MarshalJSON that writes all rows into one buffer, since they are most of a report.
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

// Levels are the names of exposures, from the highest to the lowest; each begins at Least tenths.
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
