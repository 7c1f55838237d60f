package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// A Fingerprint is everything on which a verdict depends. Equal fingerprints mean the same drop-in and the same result.
type Fingerprint struct {
	Profile    string `json:"profile"`            // digest of the profile and all that it extends
	Unit       string `json:"unit"`               // digest of the effective unit without temper's drop-in
	Executable string `json:"executable"`         // path, size in bytes and modification time of what ExecStart= runs
	Programs   string `json:"programs,omitempty"` // the same of everything else that it starts, a line each; of no matter in a shipped verdict
	Systemd    int    `json:"systemd,omitempty"`  // 0 in a shipped verdict: it holds on every machine
	Kernel     string `json:"kernel,omitempty"`   // "" in a shipped verdict
}

// Take computes the fingerprint of a unit under a profile; profile is the digest of the profile. The kernel is that of
// this machine.
func Take(root host.Root, u *unit.Unit, profile string, systemd int) (Fingerprint, error) {
	kernel, err := root.KernelRelease()
	if err != nil {
		return Fingerprint{}, err
	}
	executable, others := programsOf(root, u)
	return Fingerprint{
		Profile:    profile,
		Unit:       Digest(u),
		Executable: executable,
		Programs:   strings.Join(others, "\n"),
		Systemd:    systemd,
		Kernel:     kernel,
	}, nil
}

// Digest hashes the content of a unit but not the paths of its files: a file that moves does not make a verdict stale.
func Digest(u *unit.Unit) string {
	h := sha256.New()
	for _, a := range slices.Concat(u.Assignments, u.Inherited) {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", a.Section, a.Name, a.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// A Change is something that has changed and on which a verdict depends.
type Change string

const (
	ProfileChanged    Change = "the profile"
	UnitChanged       Change = "the unit"
	ExecutableChanged Change = "the executable"
	ProgramChanged    Change = "a program that it starts"
	SystemdChanged    Change = "systemd"
	KernelChanged     Change = "the kernel"
	NoFingerprint     Change = "everything" // the verdict does not say to which profile and unit it belongs
	FormatChanged     Change = "the format of verdicts"
	NeverHere         Change = "the machine" // it was shipped for a unit or program that this machine never had
	Unreadable        Change = "the verdict" // its file is damaged: only what was applied before is known
)

// Changes lists the changes from the fingerprint f of a verdict to now; if there are none, the verdict still holds.
func (f Fingerprint) Changes(now Fingerprint) []Change {
	if f.Profile == "" || f.Unit == "" {
		return []Change{NoFingerprint}
	}
	var changes []Change
	note := func(what Change, changed bool) {
		if changed {
			changes = append(changes, what)
		}
	}
	note(ProfileChanged, f.Profile != now.Profile)
	note(UnitChanged, f.Unit != now.Unit)
	note(ExecutableChanged, executableDiffers(f.Executable, now.Executable))
	note(ProgramChanged, !f.Shipped() && programsDiffer(f.Programs, now))
	note(SystemdChanged, f.Systemd != 0 && f.Systemd != now.Systemd)
	note(KernelChanged, f.Kernel != "" && now.Kernel != f.Kernel)
	return changes
}

// Shipped reports whether the fingerprint belongs to a verdict that a package shipped, or to this machine's copy of
// one.
func (f Fingerprint) Shipped() bool { return f.Systemd == 0 && f.Kernel == "" }

// Differs says in words what changed from the fingerprint f of a verdict to now; "" means that the verdict still holds.
func (f Fingerprint) Differs(now Fingerprint) string { return f.InWords(f.Changes(now), now) }

// InWords says which changes there were from the fingerprint f of a verdict to now; "" if there were none.
func (f Fingerprint) InWords(changes []Change, now Fingerprint) string {
	var words []string
	for _, change := range changes {
		switch change {
		case NoFingerprint:
			return "it does not say of which profile and unit"
		case SystemdChanged:
			words = append(words, fmt.Sprintf("systemd (%d, now %d)", f.Systemd, now.Systemd))
		default:
			words = append(words, string(change))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "changed since: " + strings.Join(words, ", ")
}
