package generator

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/host"
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
	g, problems, err = newWithoutProfiles(root, cmdline)
	if err != nil {
		return nil, nil, err
	}
	set, bad := profiles.Load(root, nil)
	g.Profiles = set
	return g, append(problems, bad...), nil
}

// newForBoot is [New] for what a boot decides, from a unit load path: it knows no other units than services, and no
// more of the profiles than concerns those that there are.
func newForBoot(root host.Root, cmdline string, loadPath []string) (g *Generator, problems []error, err error) {
	g, problems, err = newWithoutProfiles(root, cmdline)
	if err != nil {
		return nil, nil, err
	}
	g.Units.Only, g.Units.Path = "service", loadPath
	names, _ := g.Units.List(".service") // Decisions tells what cannot be seen
	known := slices.Concat(g.withInstances(names), g.Units.PassedOver(".service"))
	slices.Sort(known)
	set, bad := profiles.LoadAbout(root, nil, known)
	g.Profiles = set
	return g, append(problems, bad...), nil
}

func newWithoutProfiles(root host.Root, cmdline string) (g *Generator, problems []error, err error) {
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
	return g, problems, nil
}

// Input is what a plan for a unit under a profile depends on, without demotions.
func (g *Generator) Input(u *unit.Unit, p *profiles.Profile, named bool) Input {
	return Input{Unit: u, Profile: p, Named: named, Version: g.Version, Secrets: Secrets(g.Profiles, g.Settings, u)}
}

// Secrets lists what is to be hidden from a unit: the secrets of other profiles, and those of the settings that it does
// not own.
func Secrets(set *profiles.Set, settings Settings, u *unit.Unit) []profiles.Secret {
	all := append(set.SecretsFor(NamesOf(u)...), settings.SecretsFor(NamesOf(u)...)...)
	slices.SortStableFunc(all, func(a, b profiles.Secret) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b profiles.Secret) bool { return a.Path == b.Path })
}

// Fingerprint is that of a verdict that would be taken now.
func (g *Generator) Fingerprint(in Input) (verdict.Fingerprint, error) {
	return verdict.Take(g.Root, in.Unit.Without(Dropin), in.Digest(), g.Version)
}

// Decisions decides about every service unit that a profile matches, sorted by name. Problems in single units or
// verdicts are returned beside.
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
	return decisions, append(problems, g.passedOver()...)
}

// passedOver tells of files in the load path that should be the units that profiles name and are none. A unit that is
// just not installed is no problem.
func (g *Generator) passedOver() []error {
	var problems []error
	for _, name := range g.Units.PassedOver(".service") {
		if len(g.Profiles.Naming(name)) == 0 {
			continue
		}
		if _, err := g.Units.Load(name); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// withInstances adds the instances that differ from their template: they have drop-ins or a verdict of their own, or
// are left alone by name. Those of a template that is not installed do not exist.
func (g *Generator) withInstances(installed []string) []string {
	names := slices.Concat(installed, g.Units.Instances())
	for _, name := range slices.Concat(g.Store.Units(), g.Settings.Exclude, g.Switches.Skip) {
		_, there := slices.BinarySearch(installed, unit.Template(name))
		if there && unit.IsInstance(name) && unit.ValidName(name) {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return unit.Type(n) != "service" })
	slices.Sort(names)
	return slices.Compact(names)
}

// shield keeps the drop-in of a template, which was made for its own assignments, from instances that have others and
// get none themselves: a drop-in of one name in the instance's directory takes its place.
func shield(decisions []Decision) {
	hardened := map[string]bool{}
	for _, d := range decisions {
		if unit.IsTemplate(d.Unit) {
			hardened[d.Unit] = d.Text != ""
		}
	}
	for i, d := range decisions {
		if unit.IsInstance(d.Unit) && d.Text == "" && hardened[unit.Template(d.Unit)] {
			decisions[i].Text = fmt.Sprintf(
				"# Written by temper-generator(8): nothing from %s, this instance differs from it.\n",
				unit.Template(d.Unit),
			)
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
