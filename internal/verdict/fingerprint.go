package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// A Fingerprint is everything a verdict depends on. Two that are equal promise the same drop-in and the same outcome.
type Fingerprint struct {
	Profile    string `json:"profile"`           // digest of the profile and all that it extends
	Unit       string `json:"unit"`              // digest of the effective unit without temper's drop-in
	Executable string `json:"executable"`        // path, size in bytes and modification time of what ExecStart= runs
	Systemd    int    `json:"systemd,omitempty"` // 0 in a shipped verdict: it holds on every machine
	Kernel     string `json:"kernel,omitempty"`  // "" in a shipped verdict
}

// Take computes the fingerprint of a unit under a profile, whose digest is given. The kernel is that of this machine.
func Take(root host.Root, u *unit.Unit, profile string, systemd int) (Fingerprint, error) {
	kernel, err := root.KernelRelease()
	if err != nil {
		return Fingerprint{}, err
	}
	return Fingerprint{
		Profile:    profile,
		Unit:       digest(u),
		Executable: executable(root, u),
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

// executable describes the file that ExecStart= runs. When generators run, file systems such as /opt may not be
// mounted: a file that is not there is described by its path alone.
func executable(root host.Root, u *unit.Unit) string {
	file := Executable(u)
	if !path.IsAbs(file) {
		return file
	}
	info, err := root.Stat(file)
	if err != nil {
		return file
	}
	return fmt.Sprintf("%s %d %s", file, info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05.999999999Z"))
}

// Executable returns the file that ExecStart= runs, "" if there is none.
func Executable(u *unit.Unit) string {
	start, ok := u.Last("Service", "ExecStart")
	if !ok {
		return ""
	}
	words, err := unit.Words(start.Value)
	if err != nil || len(words) == 0 {
		return ""
	}
	return strings.TrimLeft(words[0], "-@:+!|")
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
	if path, _, seen := strings.Cut(now.Executable, " "); seen || path != firstWord(f.Executable) {
		note("the executable", f.Executable, now.Executable)
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

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
