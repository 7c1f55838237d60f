package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// A Generator decides what every unit of a root gets. It reads files only.
type Generator struct {
	Root     host.Root
	Version  int // of systemd
	Units    *unit.Loader
	Profiles *profiles.Set
	Store    verdict.Store
	Settings Settings
	Switches Switches
}

// New reads everything that the generator needs from a root. Problems in single files are returned beside a usable
// Generator; err is set only where nothing can be generated at all.
func New(root host.Root, cmdline string) (g *Generator, problems []error, err error) {
	version, err := root.SystemdVersion()
	if err != nil {
		return nil, nil, err
	}
	g = &Generator{Root: root, Version: version, Store: verdict.Store{Root: root}}
	if g.Switches, err = ReadSwitches(root, cmdline); err != nil {
		problems = append(problems, err)
	}
	g.Units = &unit.Loader{Root: root, Version: version}
	if g.Settings, err = LoadSettings(root); err != nil {
		problems = append(problems, err)
		g.Switches.Off = "nothing is applied while " + SettingsFile + " is wrong"
	}
	set, bad := profiles.Load(root, nil)
	g.Profiles = set
	return g, append(problems, bad...), nil
}

// Decision is what the generator does about one unit.
type Decision struct {
	Unit    string
	Profile *profiles.Profile // nil: no profile matches
	Named   bool
	Verdict *verdict.Verdict // nil: there is none; Stale and StaleReason are filled in
	Plan    Plan             // what the profile and a fresh verdict's demotions amount to
	Text    string           // the drop-in that is written; "" = none
	Why     string           // in words
}

// Decide decides about a loaded unit. The error tells of a verdict that cannot be read, which counts as none.
func (g *Generator) Decide(u *unit.Unit) (Decision, error) { return g.decide(u, true) }

// decide makes a plan only where the text depends on it, unless explain asks for one.
func (g *Generator) decide(u *unit.Unit, explain bool) (Decision, error) {
	d := Decision{Unit: u.Name}
	d.Profile, d.Named = g.Profiles.For(u)
	if reason := g.spares(u, d); reason != "" {
		d.Why = reason
		return d, nil
	}
	input := g.Input(u, d.Profile, d.Named)
	v, err := g.judge(input)
	if v == nil && err == nil {
		v, err = g.judgeTemplate(input)
	}
	d.Verdict = v
	fresh := v != nil && !v.Stale && v.Result == verdict.Proven
	if fresh {
		input.Demotions = v.Demotions
	}
	if explain || fresh && v.Systemd != g.Version || !fresh && g.Settings.Unproven == Enforce {
		d.Plan = NewPlan(input)
	}
	switch {
	case fresh && v.Systemd == g.Version:
		d.Text, d.Why = g.guarded(u, v.Dropin), "proven"
	case fresh: // a packager proved it elsewhere: what this systemd does not know is not written, nor what that one did not try
		d.Plan = d.Plan.tried(v)
		d.Text, d.Why = g.guarded(u, d.Plan.Text()), fmt.Sprintf("proven with systemd %d", v.Systemd)
	case g.Settings.Unproven == Enforce && v != nil && !v.Stale && v.Result == verdict.Broken:
		d.Why = unproven(v) + "; nothing is applied before something changes, or temper revoke"
	case g.Settings.Unproven == Enforce:
		d.Text, d.Why = g.guarded(u, d.Plan.Text()), unproven(v)+"; unproven = \"enforce\" applies everything"
	case g.Settings.Unproven == Prove && startsEarly(u):
		d.Why = unproven(v) + "; starts too early to be proven before"
	case g.Settings.Unproven == Prove && v != nil && !v.Stale:
		d.Why = unproven(v) + "; not proven again before something changes, or temper revoke"
	case g.Settings.Unproven == Prove:
		d.Text, d.Why = proveFirst, unproven(v)+"; proven before it starts"
	default:
		d.Why = unproven(v) + "; nothing is applied until it is proven"
	}
	return d, err
}

// Input is what a plan for a unit under a profile depends on, without demotions.
func (g *Generator) Input(u *unit.Unit, p *profiles.Profile, named bool) Input {
	return Input{Unit: u, Profile: p, Named: named, Version: g.Version, Secrets: Secrets(g.Profiles, g.Settings, u)}
}

// Secrets lists what is to be hidden from a unit: the secrets of other profiles, and those of the settings that it does not own.
func Secrets(set *profiles.Set, settings Settings, u *unit.Unit) []profiles.Secret {
	all := append(set.SecretsFor(NamesOf(u)...), settings.SecretsFor(NamesOf(u)...)...)
	slices.SortStableFunc(all, func(a, b profiles.Secret) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b profiles.Secret) bool { return a.Path == b.Path })
}

// Fingerprint is that of a verdict that would be taken now.
func (g *Generator) Fingerprint(in Input) (verdict.Fingerprint, error) {
	return verdict.Take(g.Root, in.Unit.Without(Dropin), in.Digest(), g.Version)
}

// startsEarly reports whether a unit may start before the bus and the rest of what proving needs.
func startsEarly(u *unit.Unit) bool {
	a, _ := u.Last("Unit", "DefaultDependencies")
	yes, ok := unit.Bool(a.Value)
	return isCritical(u.ID) || ok && !yes
}

// spares returns why a unit gets no drop-in whatever its verdict, or "".
func (g *Generator) spares(u *unit.Unit, d Decision) string {
	switch {
	case d.Profile == nil:
		return "no profile matches"
	case u.Masked:
		return "masked"
	case taken(u) != "":
		return taken(u) + " stands in the place of temper's drop-in"
	case g.Settings.excludes(u.ID):
		return "excluded in " + SettingsFile
	case g.Switches.Off != "":
		return g.Switches.Off
	case g.Switches.skips(u.ID):
		return "temper.skip= on the kernel command line"
	case isCritical(u.ID) && !d.Named:
		return "critical for the boot: only a profile that names it applies"
	}
	return ""
}

// taken returns a drop-in of the name of temper's own that is not temper's: a mask or a text of the administrator's hides
// what the generator writes, and one of the vendor's must not be hidden.
func taken(u *unit.Unit) string {
	for _, file := range u.Dropins {
		if path.Base(file) == Dropin && !strings.HasPrefix(file, "/run/systemd/generator/") {
			return file
		}
	}
	return ""
}

// judge returns the verdict on a unit, nil if there is none, marked stale where its fingerprint no longer matches. A stale one
// of this machine yields to one that a package brought since and that holds, unless this machine has seen something break.
func (g *Generator) judge(in Input) (*verdict.Verdict, error) {
	v, err := g.check(in, g.Store)
	if v == nil || !v.Stale || v.Result != verdict.Proven || len(v.Demotions) > 0 {
		return v, err
	}
	// One that is damaged is a problem only where it is all there is.
	if shipped, _ := g.check(in, g.Store.Shipped()); shipped != nil && !shipped.Stale {
		return shipped, nil
	}
	return v, nil
}

// check returns the verdict of a store on a unit, as judge does.
func (g *Generator) check(in Input, store verdict.Store) (*verdict.Verdict, error) {
	v, err := store.Get(in.Unit.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now, err := g.Fingerprint(in)
	if err != nil {
		return nil, err
	}
	v.StaleReason = v.Fingerprint.Differs(now)
	v.Stale = v.StaleReason != ""
	return &v, nil
}

// judgeTemplate returns the verdict on the template of an instance, if it is proven and amounts to the same for the instance
// with the drop-ins of its own.
func (g *Generator) judgeTemplate(in Input) (*verdict.Verdict, error) {
	template := in.Unit.Template()
	if template == "" || template == in.Unit.ID {
		return nil, nil
	}
	u, err := g.load(template)
	if err != nil {
		return nil, nil // an instance can have a file of its own and no template
	}
	own := in
	in.Unit = u
	v, err := g.judge(in)
	if v == nil || v.Stale || v.Result != verdict.Proven {
		return nil, err
	}
	own.Demotions = v.Demotions
	if !slices.Equal(NewPlan(own).Applied(), v.Applied) {
		return nil, nil
	}
	return v, nil
}

func unproven(v *verdict.Verdict) string {
	switch {
	case v == nil:
		return "no verdict"
	case v.Stale:
		return "the verdict is stale, " + v.StaleReason
	}
	return "the verdict is " + v.Result
}

// proveFirst is the drop-in that makes a unit, or every instance of a template, wait until it was proven; see
// packaging/systemd/temper-prove@.service.
const proveFirst = `# Written by temper-generator(8): proven before its first start.

[Unit]
Wants=temper-prove@%N.service
After=temper-prove@%N.service
`

// Decisions decides about every service unit that a profile matches, sorted by name. Problems in single units or verdicts
// are returned beside.
func (g *Generator) Decisions() ([]Decision, []error) { return g.decisions(true) }

func (g *Generator) decisions(explain bool) ([]Decision, []error) {
	names, err := g.Units.List(".service")
	var problems []error
	if err != nil { // the names are those that could be seen
		problems = append(problems, err)
	}
	var decisions []Decision
	done := map[string]bool{}
	for _, name := range g.withInstances(names) {
		if !g.Profiles.Matches(name) && !g.Profiles.Matches(unit.Template(name)) {
			continue
		}
		u, err := g.load(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if done[u.ID] {
			continue
		}
		done[u.ID] = true
		d, err := g.decide(u, explain)
		if err != nil {
			problems = append(problems, err)
		}
		decisions = append(decisions, d)
	}
	shield(decisions)
	return decisions, append(problems, g.passedOver(names)...)
}

// passedOver tells of files in the load path that should be the units that profiles name and are none. A unit that is just not
// installed is no problem.
func (g *Generator) passedOver(names []string) []error {
	var problems []error
	for _, p := range g.Profiles.All() {
		for _, name := range p.Units {
			if _, there := slices.BinarySearch(names, name); there || !unit.ValidName(name) {
				continue
			}
			_, err := g.Units.Load(name)
			if _, ok := errors.AsType[unit.Problem](err); ok {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

// withInstances adds the instances that differ from their template: they have drop-ins or a verdict of their own, or are left
// alone by name. Those of a template that is not installed do not exist.
func (g *Generator) withInstances(installed []string) []string {
	names := slices.Concat(installed, g.Units.Instances())
	for _, name := range slices.Concat(g.Store.Units(), g.Settings.Exclude, g.Switches.Skip) {
		if _, there := slices.BinarySearch(installed, unit.Template(name)); there && unit.IsInstance(name) && unit.ValidName(name) {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return unit.Type(n) != "service" })
	slices.Sort(names)
	return slices.Compact(names)
}

// shield keeps the drop-in of a template, which was made for its own assignments, from instances that have others and get
// none themselves: a drop-in of one name in the instance's directory takes its place.
func shield(decisions []Decision) {
	hardened := map[string]bool{}
	for _, d := range decisions {
		if unit.IsTemplate(d.Unit) {
			hardened[d.Unit] = d.Text != ""
		}
	}
	for i, d := range decisions {
		if unit.IsInstance(d.Unit) && d.Text == "" && hardened[unit.Template(d.Unit)] {
			decisions[i].Text = "# Written by temper-generator(8): nothing from " + unit.Template(d.Unit) + ", this instance differs from it.\n"
		}
	}
}

// load loads a unit under its main name, whichever name leads to it.
func (g *Generator) load(name string) (*unit.Unit, error) {
	u, err := g.Units.Load(name)
	if err != nil || u.ID == u.Name {
		return u, err
	}
	return g.Units.Load(u.ID)
}

// NamesOf lists the names by which a profile can let a unit in.
func NamesOf(u *unit.Unit) []string { return append([]string{u.ID, u.Template()}, u.Aliases...) }

// Write puts the drop-ins of decisions below dir, each under a temporary name first, and returns how many it wrote. It does
// not stop at an error.
func Write(dir string, decisions []Decision) (int, error) {
	var dropins []ready.Dropin
	for _, d := range decisions {
		if d.Text != "" {
			dropins = append(dropins, ready.Dropin{Unit: d.Unit, Text: []byte(d.Text)})
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil || len(dropins) == 0 {
		return 0, err
	}
	return ready.Write(dir, dropins)
}
