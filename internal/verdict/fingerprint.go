package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// A Fingerprint is everything a verdict depends on. Two that are equal promise the same drop-in and the same outcome.
type Fingerprint struct {
	Profile    string `json:"profile"`            // digest of the profile and all that it extends
	Unit       string `json:"unit"`               // digest of the effective unit without temper's drop-in
	Executable string `json:"executable"`         // path, size in bytes and modification time of what ExecStart= runs
	Programs   string `json:"programs,omitempty"` // the same of everything else that it starts, a line each; of no matter in a shipped verdict
	Systemd    int    `json:"systemd,omitempty"`  // 0 in a shipped verdict: it holds on every machine
	Kernel     string `json:"kernel,omitempty"`   // "" in a shipped verdict
}

// Take computes the fingerprint of a unit under a profile, whose digest is given. The kernel is that of this machine.
func Take(root host.Root, u *unit.Unit, profile string, systemd int) (Fingerprint, error) {
	kernel, err := root.KernelRelease()
	if err != nil {
		return Fingerprint{}, err
	}
	executable, others := programsOf(root, u)
	return Fingerprint{
		Profile:    profile,
		Unit:       digest(u),
		Executable: executable,
		Programs:   strings.Join(others, "\n"),
		Systemd:    systemd,
		Kernel:     kernel,
	}, nil
}

// digest hashes what a unit says, not where: a file that moves does not make a verdict stale.
func digest(u *unit.Unit) string {
	h := sha256.New()
	for _, a := range u.Assignments {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00", a.Section, a.Name, a.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Differs says in words what changed from the fingerprint f of a verdict to now; "" means that the verdict still holds.
func (f Fingerprint) Differs(now Fingerprint) string {
	if f.Profile == "" || f.Unit == "" {
		return "it does not say of which profile and unit"
	}
	var changed []string
	note := func(what, then, now string) {
		if then != "" && then != now {
			changed = append(changed, what)
		}
	}
	note("the profile", f.Profile, now.Profile)
	note("the unit", f.Unit, now.Unit)
	if executableDiffers(f.Executable, now.Executable) {
		changed = append(changed, "the executable")
	}
	if shipped := f.Systemd == 0 && f.Kernel == ""; !shipped && programsDiffer(f.Programs, now) {
		changed = append(changed, "a program that it starts")
	}
	if f.Systemd != 0 && f.Systemd != now.Systemd {
		changed = append(changed, fmt.Sprintf("systemd (%d, now %d)", f.Systemd, now.Systemd))
	}
	note("the kernel", f.Kernel, now.Kernel)
	if len(changed) == 0 {
		return ""
	}
	return "changed since: " + strings.Join(changed, ", ")
}
