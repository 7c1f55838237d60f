package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"temper/internal/host"
)

// What is stored can be read again: what a service has said is shortened until it can. Each of these is the longest
// text in bytes that is kept, one after the other.
var longest = []int{4 << 10, 1 << 10, 128}

// cutMark ends a text that was shortened.
const cutMark = " (cut)"

// encode returns a verdict as it is stored, in at most a number of bytes.
func (v Verdict) encode(most int) ([]byte, error) {
	data, err := encode(v)
	for _, n := range longest {
		if len(data) <= most || err != nil {
			break
		}
		v = v.shortened(n)
		data, err = encode(v)
	}
	if len(data) > most && err == nil {
		v = v.Shared()
		data, err = encode(v)
	}
	return fits(data, most, err)
}

// shortened returns the verdict with at most a number of bytes of each text that may quote the service.
func (v Verdict) shortened(most int) Verdict {
	v.Reason = Shorten(v.Reason, most)
	v.Advisories = shortenEvidence(v.Advisories, most)
	v.Demotions = slices.Clone(v.Demotions)
	for i, d := range v.Demotions {
		v.Demotions[i].Evidence = shortenEvidence(d.Evidence, most)
	}
	if v.Use != nil {
		use := *v.Use
		use.Checks = slices.Clone(use.Checks)
		for i := range use.Checks {
			use.Checks[i].Reason = Shorten(use.Checks[i].Reason, most)
		}
		v.Use = &use
	}
	if v.LastAttempt != nil {
		last := *v.LastAttempt
		last.Reason = Shorten(last.Reason, most)
		v.LastAttempt = &last
	}
	return v
}

// encodeTrials returns the log of trials as it is stored, in at most a number of bytes.
func encodeTrials(trials []Trial, most int) ([]byte, error) {
	data, err := encodeUpTo(trials, most)
	trials = slices.Clone(trials)
	for _, n := range longest {
		// The last lines tell why a launch failed.
		for _, lines := range []int{1000, 100, 10} {
			if len(data) <= most || err != nil {
				return fits(data, most, err)
			}
			for i, t := range trials {
				trials[i] = t.shortened(n, lines)
			}
			data, err = encodeUpTo(trials, most)
		}
	}
	return fits(data, most, err)
}

// encodeUpTo is encode, which is spared where the lines alone are more than can be kept: they may be many.
func encodeUpTo(trials []Trial, most int) ([]byte, error) {
	size := 0
	for _, t := range trials {
		for _, line := range t.Log {
			size += len(line)
		}
	}
	if size > most {
		return make([]byte, most+1), nil
	}
	return encode(trials)
}

// shortened returns the log of a launch with at most a number of lines, and of bytes in each.
func (t Trial) shortened(most, lines int) Trial {
	t.Failures, t.Warnings = shortenEvidence(t.Failures, most), shortenEvidence(t.Warnings, most)
	t.Log = shortenLines(t.Log, most, lines)
	t.Refused = shortenLines(t.Refused, most, lines)
	return t
}

func shortenLines(list []string, most, lines int) []string {
	dropped := max(0, len(list)-lines)
	list = slices.Clone(list[dropped:])
	for i := range list {
		list[i] = Shorten(list[i], most)
	}
	if dropped > 0 {
		list = slices.Insert(list, 0, fmt.Sprintf("(%d earlier lines are cut)", dropped))
	}
	return list
}

func shortenEvidence(list []Evidence, most int) []Evidence {
	list = slices.Clone(list)
	for i := range list {
		list[i].Text = Shorten(list[i].Text, most)
	}
	return list
}

// Shorten returns at most a number of bytes of a text, and says so where that is not all.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:max(0, most-len(cutMark))], "") + cutMark
}

func encode(what any) ([]byte, error) {
	data, err := json.MarshalIndent(what, "", "  ")
	return append(data, '\n'), err
}

// fits refuses what could not be read again.
func fits(data []byte, most int, err error) ([]byte, error) {
	if err == nil && len(data) > most {
		err = fmt.Errorf("it has %d bytes, want at most %d, so that it can be read again", len(data), most)
	}
	return data, err
}

// maxTrials is the largest size of the log of the trials of a unit in bytes.
const maxTrials = host.MaxFile
