package report

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"

	"temper/analyzer/exposure"
)

// SystemdRows writes what "systemd-analyze security --json=short" or, if pretty, "--json=pretty" prints: an array of
// rows for each unit, one after the other.
func SystemdRows(w io.Writer, entries iter.Seq[Entry], pretty bool) error {
	for e := range entries {
		if e.Err != nil {
			continue
		}
		if err := writeSystemd(w, e.Report.RowsJSON(), pretty); err != nil {
			return err
		}
	}
	return nil
}

// SystemdOverview writes what the same commands print if no unit is named: one array with an object for each unit.
func SystemdOverview(w io.Writer, entries iter.Seq[Entry], pretty bool) error {
	type line struct {
		Unit      string `json:"unit"`
		Exposure  string `json:"exposure"`
		Predicate string `json:"predicate"`
		Happy     string `json:"happy"`
	}
	lines := []line{}
	for e := range entries {
		if r := e.Report; e.Err == nil {
			lines = append(lines, line{r.Unit, exposure.Points(r.Exposure), r.Level, face(r.Level)})
		}
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return err
	}
	return writeSystemd(w, text, pretty)
}

// writeSystemd writes a JSON text in one line or, if pretty, as systemd formats it: with a tab for each level and a
// blank before colons.
func writeSystemd(w io.Writer, text []byte, pretty bool) error {
	out := bytes.NewBuffer(text)
	if pretty {
		out = &bytes.Buffer{}
		if err := json.Indent(out, text, "", "\t"); err != nil {
			return err
		}
		spaced := spaceColons(out.Bytes())
		out = bytes.NewBuffer(spaced)
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}

// spaceColons puts a blank before each colon that follows a key. In indented text this is the first colon after a
// string at the beginning of a line.
func spaceColons(indented []byte) []byte {
	var out []byte
	for line := range bytes.Lines(indented) {
		if key, value, ok := bytes.Cut(line, []byte(`": `)); ok {
			line = append(append(bytes.Clone(key), `" : `...), value...)
		}
		out = append(out, line...)
	}
	return out
}
