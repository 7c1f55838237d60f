// Package policy decides whether services are exposed too much. A policy has thresholds, for all and for single units,
// and waivers, which excuse a unit until a day and say why.
//
// Start with [Load], which reads a TOML file or a JSON policy of systemd; [Policy.Judge] decides about one unit.
//
//	threshold = 5.0                          # points; up to 10, above that tenths as systemd-analyze has them
//	rows      = "systemd-analyze-security.policy" # systemd's JSON, relative to this file
//
//	[units]
//	"nginx.service" = 3.5
//	"getty@*.service" = 9.6
//
//	[[waiver]]
//	unit   = "cups.service"
//	reason = "CUPS drivers need devices, see ticket 12"
//	until  = "2027-06-30"
package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"temper/analyzer/exposure"
	"temper/internal/tomlpos"
)

// Policy is what is required of services, for example in CI.
type Policy struct {
	Path      string
	Threshold *int // in tenths, for every unit without a threshold of its own; nil is none
	Units     []Unit
	Waivers   []Waiver
	Rows      exposure.SecurityPolicy // changes to the table
	Skipped   []error                 // what systemd ignores in its own policy
}

// Unit is the threshold of one unit, or of all that a glob matches.
type Unit struct {
	Pattern   string
	Threshold int // in tenths
}

// Waiver excuses the units that its pattern matches, until the end of the day Until.
type Waiver struct {
	Pattern string
	Reason  string
	Until   time.Time // midnight of the day, in UTC
	Line    int       // in the policy file
}

// DateFormat is how the last day of a waiver is written.
const DateFormat = "2006-01-02"

// SystemdPaths are where systemd-analyze looks for a policy when none is given; the first that exists counts.
var SystemdPaths = []string{
	"/etc/systemd/systemd-analyze-security.policy",
	"/run/systemd/systemd-analyze-security.policy",
	"/usr/local/lib/systemd/systemd-analyze-security.policy",
	"/usr/lib/systemd/systemd-analyze-security.policy",
}

// Files reads files of a machine by absolute path.
type Files interface {
	ReadFile(name string) ([]byte, error)
}

// Load reads a policy file of a machine: TOML, or systemd's JSON if it begins with "{". Errors have the path and, where
// it is known, the line; all of them are joined.
func Load(files Files, file string) (*Policy, error) {
	data, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return loadRows(file, data)
	}
	return parse(files, file, data)
}

// LoadRows reads a JSON policy of systemd.
func LoadRows(files Files, file string) (*Policy, error) {
	data, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return loadRows(file, data)
}

func loadRows(file string, data []byte) (*Policy, error) {
	rows, skipped, err := exposure.ParseSecurityPolicy(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p := &Policy{Path: file, Rows: rows}
	for _, s := range skipped {
		p.Skipped = append(p.Skipped, fmt.Errorf("%s: %w", file, s))
	}
	return p, nil
}

// Default returns the policy that systemd-analyze uses by default on a machine, or an empty one.
func Default(files Files) (*Policy, error) {
	for _, file := range SystemdPaths {
		p, err := LoadRows(files, file)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return &Policy{}, nil
}

// parsing is the state of reading one TOML policy.
type parsing struct {
	files Files
	file  string
	keys  tomlpos.Positions
	meta  toml.MetaData
	errs  []error
}

// document is the TOML file of a policy.
type document struct {
	Threshold *toml.Primitive           `toml:"threshold"`
	Rows      string                    `toml:"rows"`
	Units     map[string]toml.Primitive `toml:"units"`
	Waivers   []waiver                  `toml:"waiver"`
}

type waiver struct {
	Unit   string `toml:"unit"`
	Reason string `toml:"reason"`
	Until  string `toml:"until"`
}

func parse(files Files, file string, data []byte) (*Policy, error) {
	keys, deep := tomlpos.Locate(string(data))
	if deep > 0 {
		return nil, fmt.Errorf("%s:%d: keys nest deeper than %d", file, deep, tomlpos.MaxDepth)
	}
	var doc document
	meta, err := toml.Decode(string(data), &doc)
	if perr, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, fmt.Errorf("%s:%d: %s", file, perr.Position.Line, perr.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r := &parsing{files: files, file: file, keys: keys, meta: meta}
	p := &Policy{Path: file}
	if doc.Threshold != nil {
		p.Threshold = r.threshold("threshold", *doc.Threshold, "threshold")
	}
	for pattern, value := range doc.Units {
		if err := checkPattern(pattern); err != nil {
			r.mistake(err, "units", pattern)
		}
		if n := r.threshold(pattern, value, "units", pattern); n != nil {
			p.Units = append(p.Units, Unit{pattern, *n})
		}
	}
	slices.SortFunc(p.Units, func(a, b Unit) int { return strings.Compare(a.Pattern, b.Pattern) })
	for i, w := range doc.Waivers {
		p.Waivers = append(p.Waivers, r.waiver(i, w))
	}
	if rows := r.rows(doc.Rows); rows != nil {
		p.Rows, p.Skipped = rows.Rows, rows.Skipped
	}
	for _, key := range meta.Undecoded() {
		if len(key) < 2 || key[0] != "units" {
			r.mistake(
				fmt.Errorf("%s is no key, want threshold, rows, [units], or unit, reason and until in [[waiver]]", key),
				key...)
		}
	}
	return p, errors.Join(r.errs...)
}

// mistake records what is wrong with a key.
func (r *parsing) mistake(err error, key ...string) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %w", r.file, r.keys.OfKey(key...).Line, err))
}

func (r *parsing) threshold(name string, value toml.Primitive, key ...string) *int {
	var n float64
	if err := r.meta.PrimitiveDecode(value, &n); err != nil {
		r.mistake(fmt.Errorf("%s: want a number such as 4.5: %w", name, err), key...)
		return nil
	}
	tenths, err := ParseThreshold(strconv.FormatFloat(n, 'f', -1, 64))
	if err != nil {
		r.mistake(fmt.Errorf("%s: %w", name, err), key...)
		return nil
	}
	return &tenths
}

func (r *parsing) waiver(i int, w waiver) Waiver {
	until, err := time.Parse(DateFormat, w.Until)
	line := r.keys.Of(tomlpos.Element("waiver", i)).Line
	var what error
	switch {
	case checkPattern(w.Unit) != nil:
		what = fmt.Errorf("unit is %q, want the name or a glob of units", w.Unit)
	case strings.TrimSpace(w.Reason) == "":
		what = fmt.Errorf("%s has no reason, want one", w.Unit)
	case err != nil:
		what = fmt.Errorf("until is %q, want the last day as YYYY-MM-DD", w.Until)
	}
	if what != nil {
		r.errs = append(r.errs, fmt.Errorf("%s:%d: waiver: %w", r.file, line, what))
	}
	return Waiver{w.Unit, w.Reason, until, line}
}

// rows reads the JSON policy that a TOML policy names; nil if it names none.
func (r *parsing) rows(name string) *Policy {
	if name == "" {
		return nil
	}
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(r.file), name)
	}
	rows, err := LoadRows(r.files, name)
	if err != nil {
		r.mistake(fmt.Errorf("rows: %w", err), "rows")
	}
	return rows
}

func checkPattern(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		return fmt.Errorf("%q is no unit name or glob", pattern)
	}
	return nil
}

// ParseThreshold reads a threshold: points from 0 to 10, with or without a fraction, or tenths from 11 to 100 as in
// "systemd-analyze security --threshold=". The result is in tenths.
func ParseThreshold(text string) (int, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && n >= 0 && n <= 10 {
		tenths := int(n*10 + 0.5)
		if diff := n*10 - float64(tenths); diff < -1e-9 || diff > 1e-9 {
			return 0, fmt.Errorf("%s has more than one digit after the point, want one such as 4.5", text)
		}
		return tenths, nil
	}
	if err == nil && n <= 100 && n > 10 && n == float64(int(n)) {
		return int(n), nil
	}
	return 0, fmt.Errorf("%q is no threshold, want points such as 4.5, or tenths from 11 to 100", text)
}
