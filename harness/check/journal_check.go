package check

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"temper/internal/journal"
	"temper/internal/unit"
	"temper/profiles"
)

// probeJournal reads what the service logged in this trial, or all instances of a template. Each regular expression
// looks at one message at a time. What must not be there and is ends the check at once; what must be there and is not
// yet may still come.
//
// Limit: journald asks the kernel who sent a message. One that a process sends to the socket of syslog(3) as its last
// act belongs to nobody by then; what goes to standard output or error always belongs to its unit.
func probeJournal(c profiles.JournalCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		s, err := newSearch(c)
		if err != nil {
			return "", final{err}
		}
		look := func(e journal.Entry) bool { return s.look(e, env) }
		if err := journal.Read(ctx, env.Place, ofTrial(env), look); err != nil {
			return "", err
		}
		return s.outcome()
	}
}

// ofTrial finds the entries of the trial's unit, and others of the same second.
func ofTrial(env Env) journal.Query {
	since := env.Since
	if since.Before(time.Unix(0, 0)) {
		since = time.Unix(0, 0)
	}
	match := "_SYSTEMD_UNIT=" + env.Unit
	if unit.IsTemplate(env.Unit) {
		match = "--unit=" + strings.Replace(env.Unit, "@.", "@*.", 1)
	}
	return journal.Query{Since: since, Fields: []string{"MESSAGE", "_SYSTEMD_UNIT"}, Match: []string{match}, Sync: true}
}

// search looks for what a check wants in one message after the other.
type search struct {
	must, mustNot []*regexp.Regexp
	found         []bool // of must
	messages      int
	last          string
	tooLong       int            // messages that were too long to look at
	forbidden     *regexp.Regexp // of mustNot, once it was found
	in            string         // the message in which it was
}

func newSearch(c profiles.JournalCheck) (*search, error) {
	s := &search{found: make([]bool, len(c.Must))}
	for list, expressions := range map[*[]*regexp.Regexp][]string{&s.must: c.Must, &s.mustNot: c.MustNot} {
		for _, e := range expressions {
			re, err := regexp.Compile(e)
			if err != nil {
				return nil, err
			}
			*list = append(*list, re)
		}
	}
	return s, nil
}

// look looks at an entry and reports whether the rest is of interest.
func (s *search) look(e journal.Entry, env Env) bool {
	if e.TooLong {
		s.tooLong++
		return true
	}
	of := e.Text("_SYSTEMD_UNIT")
	ours := of == env.Unit || unit.IsTemplate(env.Unit) && unit.Template(of) == env.Unit
	if !ours || e.Time().Before(env.Since.Truncate(time.Microsecond)) {
		return true
	}
	for _, message := range e.Texts("MESSAGE") {
		s.messages++
		s.last = cut(message, 2*shown)
		for _, re := range s.mustNot {
			if re.MatchString(message) {
				s.forbidden, s.in = re, cut(message, 2*shown)
				return false
			}
		}
		for i, re := range s.must {
			s.found[i] = s.found[i] || re.MatchString(message)
		}
	}
	return true
}

func (s *search) outcome() (string, error) {
	if s.forbidden != nil {
		return "", final{fmt.Errorf("want no message with /%s/, got %s", s.forbidden, quoted(s.in))}
	}
	if s.tooLong > 0 && len(s.mustNot) > 0 {
		return "", final{fmt.Errorf("want no message with /%s/, but %d messages were too long to read",
			s.mustNot[0], s.tooLong)}
	}
	for i, found := range s.found {
		if !found {
			return "", fmt.Errorf("want a message with /%s/, got %d messages without, the last %s",
				s.must[i], s.messages, quoted(s.last))
		}
	}
	return fmt.Sprintf("%d messages", s.messages), nil
}
