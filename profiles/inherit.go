package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"temper/internal/host"
)

// finder returns a profile by name, or, if there is none, the names that there are.
type finder func(name string) (found *own, names []string)

// resolve applies to a profile everything that it extends. The findings are those of all files that have a part in it; if
// there is any, the profile must not be used.
//
// The bases are put into one order: each before what extends it, in the order in which extends lists them, and each once.
// Then what a later one sets replaces what an earlier one set. So a base that two bases share never undoes what one of
// them changed.
func resolve(o *own, find finder) (*Profile, []Finding) {
	c := &chain{find: find, state: map[string]int{}}
	c.visit(o)
	if len(c.findings) > 0 {
		return nil, c.findings
	}
	return merge(c.order), nil
}

// chain walks what a profile extends, depth first.
type chain struct {
	find     finder
	state    map[string]int // walking or done
	stack    []string
	order    []*own
	findings []Finding
}

const (
	walking = 1 + iota
	done
)

func (c *chain) visit(o *own) {
	c.findings = append(c.findings, o.findings...)
	c.state[o.Name] = walking
	c.stack = append(c.stack, o.Name)
	for _, at := range o.extends {
		c.extend(at, at.Fix)
	}
	c.stack = c.stack[:len(c.stack)-1]
	c.state[o.Name] = done
	c.order = append(c.order, o)
}

// extend visits one base. At is where it is named.
func (c *chain) extend(at Finding, name string) {
	at.Fix = ""
	switch c.state[name] {
	case done:
		return
	case walking:
		from := slices.Index(c.stack, name)
		at.ID, at.Fix = IDExtendsCycle, "leave out one of them"
		at.Message = "extends itself: " + strings.Join(append(slices.Clone(c.stack[from:]), name), " -> ")
		c.findings = append(c.findings, at)
		return
	}
	base, names := c.find(name)
	if base == nil {
		at.ID, at.Message = IDNoSuchProfile, fmt.Sprintf("extends %q, which does not exist", name)
		if near := nearest(name, names); near != "" {
			at.Fix = "write " + strconv.Quote(near)
		}
		c.findings = append(c.findings, at)
		return
	}
	before := len(c.findings)
	c.visit(base)
	if len(c.findings) > before {
		at.ID, at.Message = IDNoSuchProfile, fmt.Sprintf("extends %q, which is wrong itself", name)
		at.Fix = "see " + c.findings[before].Path
		c.findings = append(c.findings, at)
	}
}

// merge applies profiles in order, the last of which is the one that results.
func merge(order []*own) *Profile {
	last := order[len(order)-1]
	p := &Profile{
		Name: last.Name, Path: last.Path, Description: last.Description, Units: last.Units, Extends: last.Extends,
		Prove: DefaultProve(),
	}
	digest := sha256.New()
	for _, o := range order {
		digest.Write(o.sum[:])
		p.Sources = append(p.Sources, o.Path)
		p.Secrets = union(p.Secrets, o.Secrets)
		p.SecretsFor = union(p.SecretsFor, o.SecretsFor)
		for _, s := range o.Service {
			p.Service = put(p.Service, s, func(x Setting) bool { return x.Name == s.Name })
		}
		for _, ch := range o.Checks {
			p.Checks = put(p.Checks, ch, func(x Check) bool { return x.Name == ch.Name })
		}
		p.Prove.take(o.Prove, o.prove)
	}
	p.Digest = hex.EncodeToString(digest.Sum(nil)[:16])
	return p
}

// put replaces the element that is the same, or appends.
func put[E any](list []E, e E, same func(E) bool) []E {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = e
		return list
	}
	return append(list, e)
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// take replaces the keys that from sets. Commands of setup are added: checks that are inherited need theirs.
func (p *Prove) take(from Prove, set map[string]bool) {
	if set["settle"] {
		p.Settle = from.Settle
	}
	if set["timeout"] {
		p.Timeout = from.Timeout
	}
	if set["reload"] {
		p.Reload = from.Reload
	}
	if set["restart"] {
		p.Restart = from.Restart
	}
	if set["like_baseline"] {
		p.LikeBaseline = from.LikeBaseline
	}
	if set["state"] {
		p.State = from.State
	}
	p.Setup = append(p.Setup, from.Setup...)
}

// beside finds what a file outside the search path extends: files beside it, then the profiles of a set.
type beside struct {
	dir   string
	base  *Set
	files map[string]*own
}

func (b *beside) find(name string) (*own, []string) {
	if o, ok := b.files[name]; ok {
		return o, nil
	}
	at := filepath.Join(b.dir, filepath.FromSlash(name)+".toml")
	if data, err := host.Root("").ReadFile(absolutePath(at)); err == nil {
		b.files[name] = parse(name, at, data)
		return b.files[name], nil
	}
	if b.base == nil {
		return nil, nil
	}
	return b.base.find(name)
}

// absolutePath is for [host.Root], which knows no working directory.
func absolutePath(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}
