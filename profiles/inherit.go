package profiles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/host"
)

// finder returns the profile of this name that from extends or, if there is none, the names that exist.
type finder func(from *own, name string) (found *own, names []string)

// resolve applies to a profile everything that it extends. It returns the findings of all these files; if there are
// any, the profile must not be used.
//
// The bases are put into one order: each before what extends it, in the order in which extends lists them, and each
// once. Then the settings of a later one replace those of an earlier one. So a base that two bases share never undoes
// what one of them changed.
func resolve(o *own, find finder) (*Profile, []Finding) {
	c := &chain{find: find, done: map[*own]bool{}}
	c.visit(o)
	if len(c.findings) > 0 {
		return nil, c.findings
	}
	return merge(c.order), nil
}

// chain visits everything that a profile extends, depth first.
type chain struct {
	find     finder
	done     map[*own]bool
	stack    []*own // from the profile that is resolved to the one that is being visited
	order    []*own // bases before what extends them
	findings []Finding
}

func (c *chain) visit(o *own) {
	c.findings = append(c.findings, o.findings...)
	c.stack = append(c.stack, o)
	for _, at := range o.extends {
		c.extend(o, at, at.Fix)
	}
	c.stack = c.stack[:len(c.stack)-1]
	c.done[o] = true
	c.order = append(c.order, o)
}

// extend visits one base of a profile. at is where the profile names the base.
func (c *chain) extend(from *own, at Finding, name string) {
	at.Fix = ""
	base, names := c.find(from, name)
	if base == nil {
		at.ID, at.Message = IDNoSuchProfile, fmt.Sprintf("extends %q, which does not exist", name)
		if near := hint.Nearest(name, names); near != "" && near != name {
			at.Fix = "write " + strconv.Quote(near)
		}
		c.findings = append(c.findings, at)
		return
	}
	if i := slices.Index(c.stack, base); i >= 0 {
		c.findings = append(c.findings, cycle(c.stack[i:]))
		return
	}
	if c.done[base] {
		return
	}
	before := len(c.findings)
	c.visit(base)
	direct := len(c.stack) == 1 // problems of the base of a base are reported for that base
	if direct && len(c.findings) > before && c.findings[before].Path != from.Path {
		at.ID, at.Message = IDNoSuchProfile, fmt.Sprintf("extends %q, which is wrong itself", name)
		at.Fix = "see " + c.findings[before].Path
		c.findings = append(c.findings, at)
	}
}

// cycle is the finding for profiles each of which extends the next, and the last the first. It does not depend on where
// the visit began: its position is in the profile whose name sorts first.
func cycle(links []*own) Finding {
	first := 0
	for i, o := range links {
		if o.Name < links[first].Name {
			first = i
		}
	}
	links = slices.Concat(links[first:], links[:first+1])
	names := make([]string, len(links))
	for i, o := range links {
		names[i] = o.Name
	}
	f := Finding{
		ID:      IDExtendsCycle,
		Message: "extends itself: " + strings.Join(names, " -> "),
		Fix:     "leave out one of them",
	}
	for _, at := range links[0].extends {
		if at.Fix == names[1] {
			f.Path, f.Line = at.Path, at.Line
		}
	}
	return f
}

// merge applies profiles in order. The last one is the profile that is resolved.
func merge(order []*own) *Profile {
	last := order[len(order)-1]
	p := &Profile{
		Name: last.Name, Path: last.Path, Description: last.Description, Units: last.Units, Extends: last.Extends,
		Apply: last.Apply, Prove: DefaultProve(),
	}
	digest := sha256.New()
	for _, o := range order {
		digest.Write(o.sum[:])
		p.Draft = p.Draft || o.Draft
		p.Sources = append(p.Sources, o.Path)
		p.Secrets = union(p.Secrets, o.Secrets)
		p.SecretsFor = union(p.SecretsFor, o.SecretsFor)
		p.Service = slices.Grow(p.Service, len(o.Service))
		for _, s := range o.Service {
			p.Set(s)
		}
		p.Checks = slices.Grow(p.Checks, len(o.Checks))
		for _, ch := range o.Checks {
			p.Checks = put(p.Checks, ch, func(x Check) bool { return x.Name == ch.Name })
		}
		p.Prove.take(o.Prove, o.prove)
	}
	p.Digest = hex.EncodeToString(digest.Sum(nil)[:16])
	return p
}

// Set makes a setting of the profile: it replaces the one that is there, or adds to that if it is a list that gathers.
func (p *Profile) Set(s Setting) {
	isSame := func(x Setting) bool { return x.Name == s.Name }
	if i := slices.IndexFunc(p.Service, isSame); i >= 0 && gathers(s) {
		s.Own, s.Values = s.Values, union(slices.Clone(p.Service[i].Values), s.Values)
	}
	p.Service = put(p.Service, s, isSame)
}

// gathers reports whether a setting adds to that of the bases instead of replacing it.
func gathers(s Setting) bool {
	d, ok := directive.Lookup(s.Name)
	return ok && d.Gathers && len(s.Values) > 0
}

// put replaces the element that is the same as e, or appends e.
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

// take replaces the keys that from sets. Commands of setup are appended, since inherited checks need those of their
// profile, and so are the differences that are meant.
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
	if set["exposure"] {
		p.Exposure = from.Exposure
	}
	p.Setup = append(p.Setup, from.Setup...)
	p.ContainerSetup = append(p.ContainerSetup, from.ContainerSetup...)
	p.Expect = union(p.Expect, from.Expect)
}

// sameDirectory finds what a file that was named by its path extends: files in its directory, then the profiles of a
// set. What extends its own name extends the next file of that name, as in the set.
type sameDirectory struct {
	dir   string
	base  *Set
	files map[string]*own
}

func (b *sameDirectory) find(from *own, name string) (*own, []string) {
	o, ok := b.files[name]
	if ok && name != from.Name {
		return o, nil
	}
	if !ok {
		at := filepath.Join(b.dir, filepath.FromSlash(name)+".toml")
		data, err := host.At("").ReadAtMost(absolutePath(at), MaxSize)
		if err == nil {
			b.files[name] = parse(name, at, data)
			return b.files[name], nil
		}
	}
	if b.base == nil {
		return nil, nil
	}
	if same := b.base.files[name]; o == from && same != nil && same.sum == from.sum {
		from = same // the file is one of the set, or a copy of it
	}
	return b.base.find(from, name)
}

// absolutePath makes a name absolute, as [host.Root] needs it.
func absolutePath(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}
