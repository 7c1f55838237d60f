package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"temper/internal/tomlpos"
	"temper/profiles"
)

var errUnsafe = errors.New("the profile is written in a way that cannot be changed safely: add the lines yourself")

// File returns the text of the administrator's profile of a name with the exceptions of some cases. text is what the
// file has now, "" if there is none: the new one then extends the profile of that name that a package brought. Else
// nothing but the lines of the exceptions is changed. Each case has to be that of [Input.Allowing] the one before.
func File(p *profiles.Profile, text string, cases []Case, now time.Time) (string, error) {
	if text == "" {
		text = fmt.Sprintf("# What %s may do on this machine besides.\n", p.Name)
		for _, key := range []struct {
			name  string
			value any
		}{{"description", p.Description}, {"units", p.Units}, {"extends", []string{p.Name}}, {"apply", p.Apply}} {
			if list, ok := key.value.([]string); ok && len(list) == 0 {
				continue
			}
			value, err := json.Marshal(key.value) // strings and lists of them are the same in TOML
			if err != nil {
				return "", err
			}
			text += fmt.Sprintf("%s = %s\n", key.name, value)
		}
		text += "\n[service]\n"
	}
	before, err := decode(text)
	if err != nil {
		return "", err
	}
	if _, has := before["service"]; has && header(strings.SplitAfter(text, "\n")) < 0 {
		return "", errUnsafe
	}
	changed := map[string]bool{}
	for _, c := range cases {
		for _, s := range c.Settings {
			changed[s.Name] = true
			text = put(text, comment(c, now), s)
		}
	}
	after, err := decode(text)
	if err != nil || !sameBut(before, after, changed) {
		return "", errors.Join(errUnsafe, err)
	}
	return text, nil
}

// comment says why a line is there. What the service has chosen is quoted.
func comment(c Case, now time.Time) string {
	return fmt.Sprintf("# %s, temper review: %s was refused %d times since %s to %s.", now.Format(time.DateOnly),
		strconv.Quote(c.Refusal.Program), c.Refusal.Count, c.Refusal.First.Format(time.DateOnly),
		c.Refusal.Restriction.Act(c.Refusal.Subject))
}

// put replaces a setting, or adds it at the beginning of [service].
func put(text, comment string, s profiles.Setting) string {
	lines := strings.SplitAfter(text, "\n")
	positions, _ := tomlpos.Locate(text)
	if at, ok := positions["service."+s.Name]; ok {
		first, last := at.Line-1, lastLine(lines, at.Line-1)
		added := []string{comment + "\n", s.Line() + trailing(lines[first:last]) + "\n"}
		return strings.Join(slices.Replace(lines, first, last, added...), "")
	}
	at := header(lines)
	if at < 0 {
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + "\n[service]\n" + comment + "\n" + s.Line() + "\n"
	}
	if !strings.HasSuffix(lines[at], "\n") {
		lines[at] += "\n"
	}
	return strings.Join(slices.Insert(lines, at+1, comment+"\n", s.Line()+"\n"), "")
}

// header is the number of the line at which [service] begins; -1 if there is none.
func header(lines []string) int {
	return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "[service]") })
}

// lastLine is the line after a statement that begins at a line: a list may have many.
func lastLine(lines []string, first int) int {
	for last := first + 1; last <= len(lines); last++ {
		if _, err := decode(strings.Join(lines[first:last], "")); err == nil {
			return last
		}
	}
	return first + 1
}

// trailing is the comment at the end of a statement of one line.
func trailing(lines []string) string {
	if len(lines) != 1 {
		return ""
	}
	line := strings.TrimRight(lines[0], "\n")
	for i := range len(line) {
		if line[i] != '#' {
			continue
		}
		if _, err := decode(line[:i]); err == nil {
			return " " + line[i:]
		}
	}
	return ""
}

func decode(text string) (map[string]any, error) {
	var values map[string]any
	_, err := toml.Decode(strings.TrimPrefix(text, "\ufeff"), &values)
	return values, err
}

// sameBut reports whether two profiles differ in some directives of [service] alone.
func sameBut(a, b map[string]any, changed map[string]bool) bool {
	strip := func(values map[string]any) map[string]any {
		service, _ := values["service"].(map[string]any)
		for name := range changed {
			delete(service, name)
		}
		if len(service) == 0 {
			delete(values, "service")
		}
		return values
	}
	return reflect.DeepEqual(strip(a), strip(b))
}
