package users

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIDsInUse(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0::/:/bin/sh\nbroken\na:x:1006632961:0::/:\n",
		"etc/group":         "root:x:0:\nb:x:1040187392:\n",
		"etc/subuid":        "a:1107296255:2\n",
		"etc/subgid":        "a:x:y\n",
		"proc/12/status":    "Name:\tx\nUid:\t0\t1140850688\t0\t0\nGid:\t0\t0\t0\t1174405120\n",
		"proc/self/status2": "Uid:\t1207959552\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	used := idsInUse(root)
	for number, want := range map[uint32]bool{
		30: true,  // a user
		31: true,  // a group
		32: true,  // the last id before 33 * width, set aside for a user
		33: true,  // the first
		34: true,  // a process
		35: true,  // its group
		36: false, // not a process
	} {
		if got := (Range{First: number * width, Count: width}).meets(used); got != want {
			t.Errorf("range %d meets ids in use: %v, want %v", number, got, want)
		}
	}
}

func TestInsideOutside(t *testing.T) {
	r := Range{First: 1000, Count: 100}
	for machine, place := range map[uint32]uint32{1000: 0, 1099: 99, 999: 999, 1100: 1100, 65534: 65534} {
		if got := r.Inside(machine); got != place {
			t.Errorf("user %d of the machine is %d inside, want %d", machine, got, place)
		}
	}
	if got, known := r.Outside(99); got != 1099 || !known {
		t.Errorf("user 99 is %d, %v", got, known)
	}
	if _, known := r.Outside(100); known {
		t.Error("user 100 is known")
	}
	if got, known := (Range{}).Outside(7); got != 7 || !known {
		t.Errorf("of the machine's own, user 7 is %d, %v", got, known)
	}
}
