package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

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
	version, err := root.SystemdVersion()
	if err != nil {
		return nil, nil, err
	}
	g = &Generator{Root: root, Version: version, Store: verdict.Store{Root: root}, Switches: ReadSwitches(root, cmdline)}
	g.Units = &unit.Loader{Root: root, Version: version}
	if g.Settings, err = LoadSettings(root); err != nil {
		problems = append(problems, err)
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
func (g *Generator) Decide(u *unit.Unit) (Decision, error) {
	d := Decision{Unit: u.Name}
	d.Profile, d.Named = g.Profiles.For(u)
	if reason := g.spares(u, d); reason != "" {
		d.Why = reason
		return d, nil
	}
	v, err := g.judge(u, d.Profile)
	d.Verdict = v
	fresh := v != nil && !v.Stale && v.Result == verdict.Proven
	input := Input{Unit: u, Profile: d.Profile, Named: d.Named, Version: g.Version, Secrets: g.Profiles.SecretsFor(NamesOf(u)...)}
	if fresh {
		input.Demotions = v.Demotions
	}
	d.Plan = NewPlan(input)
	switch {
	case fresh:
		d.Text, d.Why = v.Dropin, "proven"
	case g.Settings.Unproven == Enforce:
		d.Text, d.Why = d.Plan.Text(), unproven(v)+"; unproven = \"enforce\" applies everything"
	case g.Settings.Unproven == Prove:
		d.Text, d.Why = proveFirst, unproven(v)+"; proven before it starts"
	default:
		d.Why = unproven(v) + "; nothing is applied until it is proven"
	}
	return d, err
}

// spares returns why a unit gets no drop-in whatever its verdict, or "".
func (g *Generator) spares(u *unit.Unit, d Decision) string {
	switch {
	case d.Profile == nil:
		return "no profile matches"
	case u.Masked:
		return "masked"
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

// judge returns the verdict on a unit, nil if there is none, marked stale where its fingerprint no longer matches.
func (g *Generator) judge(u *unit.Unit, p *profiles.Profile) (*verdict.Verdict, error) {
	v, err := g.Store.Get(u.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now, err := verdict.Take(g.Root, u.Without(Dropin), p.Digest, g.Version)
	if err != nil {
		return nil, err
	}
	v.StaleReason = v.Fingerprint.Differs(now)
	v.Stale = v.StaleReason != ""
	return &v, nil
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
func (g *Generator) Decisions() ([]Decision, []error) {
	names, err := g.Units.List(".service")
	if err != nil {
		return nil, []error{err}
	}
	var decisions []Decision
	var problems []error
	done := map[string]bool{}
	for _, name := range names {
		if !g.Profiles.Matches(name) {
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
		d, err := g.Decide(u)
		if err != nil {
			problems = append(problems, err)
		}
		decisions = append(decisions, d)
	}
	return decisions, problems
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
	var problems []error
	written := 0
	for _, d := range decisions {
		if d.Text == "" {
			continue
		}
		if err := writeDropin(filepath.Join(dir, d.Unit+".d"), d.Text); err != nil {
			problems = append(problems, fmt.Errorf("write drop-in of %s: %w", d.Unit, err))
			continue
		}
		written++
	}
	return written, errors.Join(problems...)
}

func writeDropin(dir, text string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, Dropin), []byte(text), 0o644, renameio.WithTempDir(dir))
}
