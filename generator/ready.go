package generator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// MakeReady lays the drop-in of every fresh verdict of this machine ready for the boot: beside the verdict, with what it
// depends on, so that a boot at which nothing changed copies texts and neither parses profiles nor verdicts. `temper prove`
// calls it after it stored a verdict. What lies ready never decides anything that [Generator.Decisions] would not.
func (g *Generator) MakeReady() error {
	index, ok := profileIndex(g.Root)
	if !ok {
		return nil // profiles that are links: each boot reads them
	}
	decisions, _ := g.Decisions() // what is wrong is said elsewhere
	var all []verdict.Ready
	for _, d := range decisions {
		if d.Verdict == nil || d.Verdict.Unit != d.Unit {
			continue
		}
		proven := d.Verdict.Result == verdict.Proven
		if proven && (d.Verdict.Stale || d.Text == "" || d.Verdict.Systemd != g.Version) {
			continue
		}
		u, err := g.Units.Load(d.Unit)
		if err != nil {
			return err
		}
		now, err := g.Fingerprint(g.Input(u, d.Profile, d.Named))
		if err != nil {
			return err
		}
		r := verdict.Ready{Unit: d.Unit, Names: names(u), Named: d.Named, Fingerprint: now}
		if proven {
			r.Dropin = d.Verdict.Dropin
		}
		all = append(all, r)
	}
	return g.Store.PutReady(index, all)
}

func names(u *unit.Unit) string { return strings.Join(u.Aliases, " ") }

// profileIndex identifies everything in the search path of profiles: the same index, the same profiles, for every unit. ok is
// false where telling would take more than reading files.
func profileIndex(root host.Root) (index string, ok bool) {
	h := sha256.New()
	for _, dir := range profiles.SearchPath {
		for _, sub := range []string{dir, path.Join(dir, "base")} {
			info, err := root.Lstat(sub)
			if err != nil {
				break
			}
			if !info.IsDir() || root.Trusts(sub, info) != nil {
				return "", false
			}
			entries, err := root.ReadDir(sub)
			if err != nil {
				return "", false
			}
			fmt.Fprintf(h, "%s\x00", sub)
			for _, e := range entries {
				if !strings.HasSuffix(e.Name(), ".toml") {
					continue
				}
				data, err := readPlain(root, path.Join(sub, e.Name()), e)
				if err != nil {
					return "", false
				}
				fmt.Fprintf(h, "%s\x00%d\x00", e.Name(), len(data))
				h.Write(data)
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), true
}

// readPlain reads a file that is no link and that only those write whom the machine trusts.
func readPlain(root host.Root, name string, e fs.DirEntry) ([]byte, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	if err := root.Trusts(name, info); err != nil {
		return nil, err
	}
	return root.ReadFile(name)
}

// hasProfiles reports whether there is any directory that may have a profile in it.
func hasProfiles(root host.Root) bool {
	return slices.ContainsFunc(profiles.SearchPath, func(dir string) bool {
		_, err := root.Lstat(dir)
		return err == nil
	})
}

// ready returns the decisions that lie ready. ok is false unless they are all that [Generator.Decisions] would decide: every
// verdict lies ready for the profiles of now, and units without one get nothing.
func ready(root host.Root, settings Settings, switches Switches) (decisions []Decision, ok bool) {
	if settings.Unproven != Hold || len(settings.Secrets) > 0 { // secrets are part of what was proven
		return nil, false
	}
	store := verdict.Store{Root: root}
	made, all, ok := store.Ready()
	if !ok {
		return nil, false
	}
	same := make(chan bool, 1)
	go func() {
		index, ok := profileIndex(root)
		same <- ok && index == made
	}()
	version, err := root.SystemdVersion()
	if err != nil {
		return nil, false
	}
	g := &Generator{Root: root, Version: version, Store: store, Settings: settings, Switches: switches, Units: &unit.Loader{Root: root, Version: version}}
	for _, r := range all {
		d, ok := g.asReady(r)
		if !ok {
			return nil, false
		}
		decisions = append(decisions, d)
	}
	return decisions, <-same
}

// asReady decides about one unit; ok is false where only the profile and the verdict tell.
func (g *Generator) asReady(r verdict.Ready) (d Decision, ok bool) {
	if strings.Contains(r.Unit, "@") {
		return d, false
	}
	u, err := g.Units.Load(r.Unit)
	if err != nil || u.ID != r.Unit || names(u) != r.Names {
		return d, false
	}
	d = Decision{Unit: r.Unit, Named: r.Named, Profile: &profiles.Profile{}}
	if g.spares(u, d) != "" || r.Dropin == "" { // the verdict is that nothing was proven
		return d, true
	}
	now, err := verdict.Take(g.Root, u.Without(Dropin), r.Fingerprint.Profile, g.Version)
	if err != nil || r.Fingerprint.Differs(now) != "" || r.Fingerprint.Systemd != g.Version {
		return d, false
	}
	d.Text = g.guarded(u, r.Dropin)
	return d, true
}
