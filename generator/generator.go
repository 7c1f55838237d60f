package generator

import (
	"errors"
	"fmt"
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

// New reads everything that the generator needs from a root. Problems in single files are returned together with a
// usable Generator; err is set only if nothing can be generated at all.
func New(root host.Root, cmdline string) (g *Generator, problems []error, err error) {
	switches, off := ReadSwitches(root, cmdline)
	if off != nil {
		problems = append(problems, off)
	}
	g, wrong, err := newWithoutProfiles(root, switches)
	if err != nil {
		return nil, nil, err
	}
	set, bad := profiles.Load(root, nil)
	g.Profiles = g.Settings.Profiles(set)
	return g, slices.Concat(problems, wrong, bad), nil
}

// OfMachine is [New] with the kernel command line of the root. Where that cannot be read, everything is off.
func OfMachine(root host.Root) (g *Generator, problems []error, err error) {
	cmdline, unknown := ready.CommandLine(root.Dir())
	g, problems, err = New(root, cmdline)
	if unknown != nil && err == nil {
		g.Switches.Off = "nothing is applied while the kernel command line cannot be read"
		problems = append(problems, fmt.Errorf("look for the off switch: %w", unknown))
	}
	return g, problems, err
}

// newForBoot is [New] for the decisions of a boot. It loads only services, from the unit load path loadPath, and only
// those parts of the profiles that concern services which exist.
func newForBoot(root host.Root, switches Switches, loadPath []string) (g *Generator, problems []error, err error) {
	g, problems, err = newWithoutProfiles(root, switches)
	if err != nil {
		return nil, nil, err
	}
	g.Units.Only, g.Units.Path = "service", loadPath
	names, _ := g.Units.List(".service") // Decisions reports what cannot be listed
	names, _ = g.withInstances(names)
	known := slices.Concat(names, g.Units.Ignored(".service"))
	slices.Sort(known)
	set, bad := profiles.LoadAbout(root, nil, known)
	g.Profiles = g.Settings.Profiles(set)
	return g, append(problems, bad...), nil
}

func newWithoutProfiles(root host.Root, switches Switches) (g *Generator, problems []error, err error) {
	version, err := root.SystemdVersion()
	if err != nil {
		return nil, nil, err
	}
	g = &Generator{
		Root: root, Version: version, Store: verdict.Store{Root: root}, Switches: switches,
		Units: &unit.Loader{Root: root, Version: version},
	}
	if g.Settings, err = LoadSettings(root); err != nil {
		for _, f := range profiles.Findings(err) {
			problems = append(problems, f)
		}
		if !g.Settings.areLast {
			g.Switches.Off = "nothing is applied while " + SettingsFile + " is wrong"
		}
	}
	return g, problems, nil
}

// Input is what a plan for a unit under a profile depends on, without demotions.
func (g *Generator) Input(u *unit.Unit, p *profiles.Profile, named bool) Input {
	return Input{Unit: u, Profile: p, Named: named, Version: g.Version, Secrets: Secrets(g.Profiles, g.Settings, u)}
}

// Secrets lists the paths to hide from a unit: the secrets of other profiles, and those of the settings that the unit
// does not own.
func Secrets(set *profiles.Set, settings Settings, u *unit.Unit) []profiles.Secret {
	all := append(set.SecretsFor(NamesOf(u)...), settings.SecretsFor(NamesOf(u)...)...)
	slices.SortStableFunc(all, func(a, b profiles.Secret) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b profiles.Secret) bool { return a.Path == b.Path })
}

// Fingerprint is the fingerprint of a verdict that is made now.
func (g *Generator) Fingerprint(in Input) (verdict.Fingerprint, error) {
	return verdict.Take(g.Root, in.Unit.Without(Dropin), in.Digest(), g.Version)
}

// Decisions decides about every service unit that a profile matches, sorted by name. It also returns the problems in
// single units and verdicts.
func (g *Generator) Decisions() ([]Decision, []error) { return g.decisions(true) }

func (g *Generator) decisions(explain bool) ([]Decision, []error) {
	names, err := g.Units.List(".service")
	var problems []error
	if err != nil { // names has those that could be listed
		problems = append(problems, err)
	}
	var decisions []Decision
	done := map[string]bool{}
	kept := g.withUnusableProfiles()
	names, err = g.withInstances(names)
	if err != nil {
		problems = append(problems, err)
	}
	for _, name := range names {
		if !g.Profiles.Matches(name) && !g.Profiles.Matches(unit.Template(name)) && kept[name] == nil {
			continue
		}
		u, err := g.load(name)
		if err != nil {
			problems = append(problems, err)
			if d := g.keepsUnloaded(name); d.Text != "" && !errors.Is(err, unit.ErrNotFound) {
				decisions = append(decisions, d)
			}
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
	shieldInstances(decisions)
	return decisions, append(problems, g.ignoredFiles()...)
}

// keepsUnloaded decides about a unit that could not be loaded: where systemd can, what applied before goes on applying.
func (g *Generator) keepsUnloaded(name string) Decision {
	d := Decision{Unit: name, By: ByStale, Why: "stays as before, since it cannot be read"}
	isOff := g.Switches.Off != "" || g.Switches.skips(name) || g.Settings.excludes(name) || g.Settings.Stale == Drop
	if d.Verdict = g.appliedBefore(name, ""); d.Verdict != nil && !isOff {
		d.Text = d.Verdict.Dropin
	}
	return d
}

// ignoredFiles returns a problem for each unit that a profile names and whose file systemd ignores. It is no problem
// that a unit is not installed.
func (g *Generator) ignoredFiles() []error {
	var problems []error
	for _, name := range g.Units.Ignored(".service") {
		if len(g.Profiles.Naming(name)) == 0 {
			continue
		}
		if _, err := g.Units.Load(name); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// withInstances adds the instances that can differ from their template: they have their own drop-ins or verdict, or the
// settings or the kernel command line exclude them by name. Instances of a template that is not installed are left out.
// The error says that verdicts cannot be listed; those of the last decision are among them.
func (g *Generator) withInstances(installed []string) ([]string, error) {
	names := slices.Concat(installed, g.Units.Instances())
	proven, err := g.withVerdict(g.Store)
	for _, name := range slices.Concat(proven, g.Settings.Exclude, g.Switches.Skip) {
		_, there := slices.BinarySearch(installed, unit.Template(name))
		if there && unit.IsInstance(name) && unit.ValidName(name) {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return unit.Type(n) != "service" })
	slices.Sort(names)
	return slices.Compact(names), err
}

// shieldInstances protects instances from the drop-in of their template. An instance that differs from its template and
// gets no drop-in of its own gets an empty one of the same name, which systemd reads in place of the template's.
func shieldInstances(decisions []Decision) {
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

// load loads a unit under its main name, even if name is an alias.
func (g *Generator) load(name string) (*unit.Unit, error) {
	u, err := g.Units.Load(name)
	if err != nil || u.ID == u.Name {
		return u, err
	}
	return g.Units.Load(u.ID)
}

// NamesOf lists the names under which a profile can match a unit or own a secret.
func NamesOf(u *unit.Unit) []string { return append([]string{u.ID, u.Template()}, u.Aliases...) }
