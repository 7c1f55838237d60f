package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"

	"temper/internal/plain"
	"temper/internal/refusallog"
)

// MessageID marks the entries of new refusals in the journal; packaging/catalog/temper.catalog explains it.
const MessageID = "5cf4f6e2b1f24d0fa2c62dbb4d7f8a31"

// Text says in a line what was refused.
func Text(unit string, r refusallog.Refusal) string {
	return fmt.Sprintf("%s: %s refused %s to %s", unit, strings.Join(r.Directives, "=, ")+"=", strconv.Quote(r.Program),
		r.Restriction.Act(r.Subject))
}

// Fields are the fields of a journal entry about a refusal. What the service has chosen is plain.
func Fields(unit string, r refusallog.Refusal) map[string]string {
	return map[string]string{
		"MESSAGE_ID":         MessageID,
		"TEMPER_UNIT":        unit,
		"TEMPER_DIRECTIVE":   strings.Join(r.Directives, " "),
		"TEMPER_RESTRICTION": string(r.Restriction),
		"TEMPER_SUBJECT":     plain.Line(r.Subject),
		"TEMPER_PROGRAM":     plain.Line(r.Program),
		"TEMPER_CALL":        plain.Line(r.Call),
		"TEMPER_COUNT":       strconv.FormatUint(r.Count, 10),
	}
}

// Journal reports to the journal of this machine.
type Journal struct{}

// New writes an entry about a refusal.
func (Journal) New(unit string, r refusallog.Refusal) error {
	return journal.Send(Text(unit, r), journal.PriWarning, Fields(unit, r))
}

// Note writes an entry about a unit.
func (Journal) Note(unit, text string) error {
	if unit == "" {
		return journal.Send("temper watch: "+text, journal.PriWarning, nil)
	}
	return journal.Send(unit+": "+text, journal.PriWarning, map[string]string{"TEMPER_UNIT": unit})
}

// Lines reports in lines of text to Talk, and refusals to Out, as JSON if that is asked for.
type Lines struct {
	Out, Talk io.Writer
	JSON      bool
}

// New writes a line about a refusal.
func (l Lines) New(unit string, r refusallog.Refusal) error {
	if !l.JSON {
		_, err := fmt.Fprintln(l.Out, Text(unit, r))
		return err
	}
	return json.NewEncoder(l.Out).Encode(struct {
		Unit string `json:"unit"`
		refusallog.Refusal
	}{unit, r})
}

// Note writes a line about a unit.
func (l Lines) Note(unit, text string) error {
	if unit != "" {
		text = unit + ": " + text
	}
	_, err := fmt.Fprintln(l.Talk, "temper: "+plain.Line(text))
	return err
}

// All reports to all of them.
type All []Reporter

// New reports a refusal to all.
func (a All) New(unit string, r refusallog.Refusal) error {
	var err error
	for _, one := range a {
		err = errors.Join(err, one.New(unit, r))
	}
	return err
}

// Note reports a text to all.
func (a All) Note(unit, text string) error {
	var err error
	for _, one := range a {
		err = errors.Join(err, one.Note(unit, text))
	}
	return err
}
