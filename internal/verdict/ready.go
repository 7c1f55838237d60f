package verdict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// Ready is a verdict as the boot needs it: the drop-in and what it depends on, without the rest. All of this machine's lie in
// one file beside the verdicts. It spares the boot from reading verdicts and profiles, and says nothing that they do not.
type Ready struct {
	Unit        string
	Verdict     string // size and time of the verdict: one that was written since makes this void
	Names       string // the aliases of the unit, with blanks between them
	Named       bool   // the profile names the unit
	Fingerprint Fingerprint
	Dropin      string // "" where nothing was proven
}

const (
	readyFile  = "ready"
	readyMagic = "temper ready 1"
)

func stamp(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// fields lists what the file holds of a Ready, in order.
func (r *Ready) fields() []*string {
	f := &r.Fingerprint
	return []*string{&r.Unit, &r.Verdict, &r.Names, &f.Profile, &f.Unit, &f.Executable, &f.Kernel, &r.Dropin}
}

// PutReady lays drop-ins ready for a boot with the profiles of this digest. Those of units whose verdict came with a package,
// or is gone by now, are left out.
func (s Store) PutReady(profiles string, all []Ready) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00", readyMagic, profiles)
	for _, r := range all {
		info, err := s.Root.Lstat(filepath.Join(s.dirs()[0], r.Unit+suffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.Verdict = stamp(info)
		for _, field := range r.fields() {
			if strings.Contains(*field, "\x00") {
				return fmt.Errorf("verdict on %s: has a NUL, want text", r.Unit)
			}
			fmt.Fprintf(&b, "%s\x00", *field)
		}
		fmt.Fprintf(&b, "%t %d\x00", r.Named, r.Fingerprint.Systemd)
	}
	file, err := s.Root.Path(filepath.Join(s.dirs()[0], readyFile))
	if err != nil {
		return err
	}
	return renameio.WriteFile(file, []byte(b.String()), 0o644)
}

// parseReady reads the file of PutReady; ok is false if it is damaged.
func parseReady(data []byte) (profiles string, all map[string]Ready, ok bool) {
	words := strings.Split(string(data), "\x00")
	fields := len(new(Ready).fields()) + 1
	if len(words) < 3 || words[0] != readyMagic || (len(words)-3)%fields != 0 || words[len(words)-1] != "" {
		return "", nil, false
	}
	profiles, words = words[1], words[2:len(words)-1]
	all = map[string]Ready{}
	for ; len(words) > 0; words = words[fields:] {
		var r Ready
		for i, field := range r.fields() {
			*field = words[i]
		}
		if _, err := fmt.Sscanf(words[fields-1], "%t %d", &r.Named, &r.Fingerprint.Systemd); err != nil {
			return "", nil, false
		}
		all[r.Unit] = r
	}
	return profiles, all, true
}

// Ready returns what lies ready and the digest of the profiles for which it does. ok is false unless that is all that the
// store knows: every verdict is there, as it was when it was laid ready.
func (s Store) Ready() (profiles string, all []Ready, ok bool) {
	dir := s.dirs()[0]
	data, err := s.Root.ReadTrusted(filepath.Join(dir, readyFile))
	if err != nil {
		return "", nil, false
	}
	profiles, byUnit, ok := parseReady(data)
	if !ok || !s.onlyOwn() {
		return "", nil, false
	}
	entries, err := s.Root.ReadDir(dir)
	if err != nil {
		return "", nil, false
	}
	for _, e := range entries {
		unit, isVerdict := strings.CutSuffix(e.Name(), suffix)
		if !isVerdict {
			continue
		}
		info, err := e.Info()
		r, known := byUnit[unit]
		if err != nil || !known || s.Root.Trusts(e.Name(), info) != nil || r.Verdict != stamp(info) {
			return "", nil, false
		}
		all = append(all, r)
	}
	return profiles, all, true
}

// onlyOwn reports whether no package shipped a verdict: nothing is laid ready beside those.
func (s Store) onlyOwn() bool {
	for _, dir := range s.dirs()[1:] {
		if entries, err := s.Root.ReadDir(dir); !errors.Is(err, fs.ErrNotExist) && (err != nil || len(entries) > 0) {
			return false
		}
	}
	return true
}

// dropReady makes what lies ready void.
func (s Store) dropReady() error {
	file, err := s.Root.Path(filepath.Join(s.dirs()[0], readyFile))
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
