package unit

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"temper/internal/host"
)

// ErrRuntime says that a specifier stands for something that is in no file, such as the host name.
var ErrRuntime = errors.New("known only at run time")

// specifier is one row of systemd.unit(5), "Specifiers".
type specifier struct {
	named   bool // known from the names and files of the unit alone
	since   int  // first systemd version that has it, 0 if older than 247
	expand  func(*Unit) (string, error)
	runtime string // what has to run before it is known
}

// specifiers are the specifiers of unit files in systemd 262. Their first versions are from systemd's NEWS.
var specifiers = sync.OnceValue(func() map[byte]specifier {
	return map[byte]specifier{
		'n': {named: true, expand: func(u *Unit) (string, error) { return u.ID, u.needInstance() }},
		'N': {named: true, expand: func(u *Unit) (string, error) { return stem(u.ID), u.needInstance() }},
		'p': {named: true, expand: func(u *Unit) (string, error) { return Prefix(u.ID), nil }},
		'P': {named: true, expand: func(u *Unit) (string, error) { return Unescape(Prefix(u.ID)) }},
		'i': {named: true, expand: func(u *Unit) (string, error) { return Instance(u.ID), u.needInstance() }},
		'I': {named: true, expand: func(u *Unit) (string, error) {
			return try(u.needInstance(), Unescape, Instance(u.ID))
		}},
		'j': {named: true, expand: func(u *Unit) (string, error) { return lastPart(Prefix(u.ID)), nil }},
		'J': {named: true, expand: func(u *Unit) (string, error) { return Unescape(lastPart(Prefix(u.ID))) }},
		'f': {named: true, expand: func(u *Unit) (string, error) {
			return try(u.needInstance(), UnescapePath, pathPart(u.ID))
		}},
		'y': {named: true, since: 251, expand: (*Unit).realFragment},
		'Y': {named: true, since: 251, expand: func(u *Unit) (string, error) {
			f, err := u.realFragment()
			return path.Dir(f), err
		}},

		'C': {expand: fixed("/var/cache")},
		'D': {since: 256, expand: fixed("/usr/share")},
		'E': {expand: fixed("/etc")},
		'L': {expand: fixed("/var/log")},
		'S': {expand: fixed("/var/lib")},
		't': {expand: fixed("/run")},
		'T': {expand: fixed("/tmp")},
		'V': {expand: fixed("/var/tmp")},
		'h': {expand: fixed("/root")},
		'u': {expand: fixed("root")},
		'U': {expand: fixed("0")},
		'g': {expand: fixed("root")},
		'G': {expand: fixed("0")},
		'd': {
			since:  251,
			expand: func(u *Unit) (string, error) { return "/run/credentials/" + u.ID, u.needInstance() },
		},

		'm': {expand: func(u *Unit) (string, error) { return machineID(u.root) }},
		'A': {since: 249, expand: osRelease("IMAGE_VERSION")},
		'B': {expand: osRelease("BUILD_ID")},
		'M': {since: 249, expand: osRelease("IMAGE_ID")},
		'o': {expand: osRelease("ID")},
		'w': {expand: osRelease("VERSION_ID")},
		'W': {expand: osRelease("VARIANT_ID")},

		'a': {runtime: "the running kernel"},
		'b': {runtime: "the running kernel"},
		'c': {runtime: "the running manager"},
		'H': {runtime: "the running kernel"},
		'l': {runtime: "the running kernel"},
		'q': {since: 251, runtime: "the running kernel"},
		'r': {runtime: "the running manager"},
		'R': {runtime: "the running manager"},
		's': {runtime: "the running manager"},
		'v': {runtime: "the running kernel"},
	}
})

// Expand replaces the specifiers of systemd.unit(5) in a value as the system manager does, if their values can be read
// from files. It uses the unit's main name, where systemd uses an alias if the unit is loaded by it. It returns an
// error for a specifier that does not exist, that is newer than the systemd for which the unit was loaded, or that
// needs an instance in a template. The error wraps [ErrRuntime] for a specifier that only a running system knows, such
// as %H or %b.
func (u *Unit) Expand(value string) (string, error) {
	return eachSpecifier(value, u.expandOne)
}

// ExpandKnown is [Unit.Expand], except that a specifier that only a running system knows stays as it is.
func (u *Unit) ExpandKnown(value string) (string, error) {
	return eachSpecifier(value, func(c byte) (string, error) {
		text, err := u.expandOne(c)
		if errors.Is(err, ErrRuntime) {
			return "%" + string(c), nil
		}
		return text, err
	})
}

// expandOne returns what the specifier %c stands for.
func (u *Unit) expandOne(c byte) (string, error) {
	s, known := specifiers()[c]
	switch {
	case c == '%':
		return "%", nil
	case !u.knows(s):
		return "", fmt.Errorf("specifier %%%c needs systemd %d, this is %d", c, s.since, u.version)
	case !known && isAlnum(c):
		return "", fmt.Errorf("specifier %%%c does not exist, want %%%% for a percent sign", c)
	case !known:
		return "%" + string(c), nil
	case s.expand == nil:
		return "", fmt.Errorf("specifier %%%c: %w: ask %s", c, ErrRuntime, s.runtime)
	}
	text, err := s.expand(u)
	if err != nil {
		return "", fmt.Errorf("specifier %%%c: %w", c, err)
	}
	return text, nil
}

// ExpandNames replaces the specifiers that stand for the unit's own names and files: %n %N %p %P %i %I %j %J %f %y %Y.
// Every other specifier, also %%, stays as it is, and so does one without a value, such as %i in a template. The result
// is still a value with specifiers: a percent sign in a name becomes %%.
func (u *Unit) ExpandNames(value string) string {
	text, _ := eachSpecifier(value, func(c byte) (string, error) {
		if s := specifiers()[c]; s.named && u.knows(s) {
			if text, err := s.expand(u); err == nil {
				return strings.ReplaceAll(text, "%", "%%"), nil
			}
		}
		return "%" + string(c), nil
	})
	return text
}

// knows reports whether the systemd that the unit was loaded for has the specifier.
func (u *Unit) knows(s specifier) bool { return u.version == 0 || u.version >= s.since }

// eachSpecifier replaces every "%c". A "%" at the end stays.
func eachSpecifier(value string, replace func(byte) (string, error)) (string, error) {
	if strings.IndexByte(value, '%') < 0 {
		return value, nil
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		i++
		text, err := replace(value[i])
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func fixed(text string) func(*Unit) (string, error) {
	return func(*Unit) (string, error) { return text, nil }
}

func try(err error, f func(string) (string, error), arg string) (string, error) {
	if err != nil {
		return "", err
	}
	return f(arg)
}

// needInstance returns an error if the unit is a template.
func (u *Unit) needInstance() error {
	if IsTemplate(u.ID) {
		return fmt.Errorf("%s is a template, want an instance of it", u.ID)
	}
	return nil
}

func (u *Unit) realFragment() (string, error) {
	if u.Fragment == "" {
		return "", errors.New("the unit has no fragment")
	}
	return newTree(u.root).realFile(u.Fragment)
}

// lastPart returns the part after the last "-".
func lastPart(prefix string) string { return prefix[strings.LastIndexByte(prefix, '-')+1:] }

// pathPart is what %f unescapes.
func pathPart(name string) string {
	if i := Instance(name); i != "" {
		return i
	}
	return Prefix(name)
}

func machineID(root host.Root) (string, error) {
	data, err := root.ReadFile("/etc/machine-id")
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(data))
	if len(id) != 32 || strings.Trim(id, hexDigits) != "" {
		return "", errors.New("/etc/machine-id holds no id yet")
	}
	return id, nil
}

// osRelease returns a function that reads a field of os-release(5); a missing field is empty.
func osRelease(field string) func(*Unit) (string, error) {
	return func(u *Unit) (string, error) {
		data, err := u.root.ReadFile("/etc/os-release")
		if err != nil {
			if data, err = u.root.ReadFile("/usr/lib/os-release"); err != nil {
				return "", err
			}
		}
		value := ""
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(strings.Trim(line, blanks), field+"="); ok {
				words, err := Words(v)
				if err != nil || len(words) > 1 {
					return "", fmt.Errorf("os-release: bad %s", line)
				}
				value = strings.Join(words, "")
			}
		}
		return value, nil
	}
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
