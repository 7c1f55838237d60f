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

// probeJournal reads what the service, or all instances of a template, logged in this trial. It matches each regular
// expression against one message at a time. A forbidden message ends the check at once; a missing one may still come.
//
// Limit: journald asks the kernel who sent a message. If a process sends a message to the socket of syslog(3) and ends
// at once, journald cannot tell its unit. Messages to standard output or error always belong to the unit.
func probeJournal(c profiles.JournalCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		s, err := newSearch(c)
		if err != nil {
			return "", final{err}
		}
		match := func(e journal.Entry) bool { return s.match(e, env) }
		if err := journal.Read(ctx, env.Place, ofTrial(env), match); err != nil {
			return "", err
		}
		return s.outcome()
	}
}

// ofTrial is the query for the entries of the trial's unit. It can also find entries from just before the trial.
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

// search matches one message after the other against the patterns of a check.
type search struct {
	must, mustNot []*regexp.Regexp
	found         []bool // for each of must, whether a message matched
	messages      int
	last          string
	tooLong       int            // number of messages that were too long to read
	forbidden     *regexp.Regexp // the pattern of mustNot that matched; nil if none has
	in            string         // the message that it matched
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

// match matches an entry and reports whether to read on.
func (s *search) match(e journal.Entry, env Env) bool {
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
