package profiles

import (
	"bytes"
	"strings"

	"github.com/BurntSushi/toml"
)

// parseHead reads what stands above the first table of a file: the units, and what it extends. It is not ok where that
// takes the whole file: where it has no units or secrets of its own, or where something in it is wrong.
func parseHead(name, path string, data []byte) (o *own, ok bool) {
	var head struct {
		Units, Extends, Secrets []string
		SecretsFor              []string `toml:"secrets_for"`
	}
	text, rest, _ := bytes.Cut(data, []byte("\n["))
	if _, err := toml.Decode(strings.TrimPrefix(string(text), "\ufeff"), &head); err != nil {
		return nil, false
	}
	if len(head.Units) == 0 || len(head.Secrets) > 0 || len(head.SecretsFor) > 0 || len(rest) == 0 {
		return nil, false
	}
	o = &own{Profile: Profile{Name: name, Path: path, Units: head.Units, Extends: head.Extends}, unread: data}
	return o, true
}

// isHead reports whether only the head of the file was read.
func (o *own) isHead() bool { return o.unread != nil }

// whole reads the rest of a file of which the head was read.
func (s *Set) whole(o *own) *own {
	if !o.isHead() {
		return o
	}
	w := parse(o.Name, o.Path, o.unread)
	w.behind = o.behind
	if s.files[o.Name] == o {
		s.files[o.Name] = w
	}
	return w
}

// inheritsSecrets reports whether something that a file extends has secrets.
func (s *Set) inheritsSecrets(o *own) bool {
	seen := map[*own]bool{}
	var visit func(*own) bool
	visit = func(o *own) bool {
		if o == nil || seen[o] {
			return false
		}
		seen[o] = true
		for _, name := range o.Extends {
			base := s.files[name]
			if base == o {
				base = o.behind
			}
			if base != nil && (len(base.Secrets) > 0 || visit(base)) {
				return true
			}
		}
		return false
	}
	return visit(o)
}
