package unit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/unit"
)

// TestInherited: a service inherits the address lists of its slice and of all slices above it, whatever it says itself.
func TestInherited(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/system/a.service":           "[Service]\nExecStart=/x\nIPAddressDeny=\n",
		"usr/lib/systemd/system/b.service":           "[Service]\nExecStart=/x\nSlice=own-%p.slice\n",
		"usr/lib/systemd/system/c-d@.service":        "[Service]\nExecStart=/x\n",
		"usr/lib/systemd/system/e.service":           "[Service]\nExecStart=/x\nSlice=off.slice\n",
		"etc/systemd/system/system.slice.d/net.conf": "[Slice]\nIPAddressDeny=any\nMemoryMax=1G\n",
		"etc/systemd/system/-.slice.d/net.conf": "[Slice]\nIPAddressAllow=10.0.0.1\nIPAddressAllow=\n" +
			"IPAddressAllow=10.0.0.2\n",
		"etc/systemd/system/own.slice":                     "[Slice]\nIPAddressDeny=10.1.0.0/16\n",
		"etc/systemd/system/own-b.slice":                   "[Slice]\nIPAddressDeny=10.2.0.0/16\n",
		"etc/systemd/system/system-c\\x2dd.slice.d/n.conf": "[Slice]\nIPAddressDeny=10.3.0.0/16\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/off.slice")); err != nil {
		t.Fatal(err)
	}
	loader := &unit.Loader{Root: host.At(root)}
	const top = "IPAddressAllow=10.0.0.2"
	for name, want := range map[string][]string{
		"a.service":      {"IPAddressDeny=any", top},
		"b.service":      {"IPAddressDeny=10.2.0.0/16", "IPAddressDeny=10.1.0.0/16", top},
		"c-d@1.service":  {"IPAddressDeny=10.3.0.0/16", "IPAddressDeny=any", top},
		"e.service":      {top},
		"unnamed.target": nil,
	} {
		u, err := loader.Load(name)
		if err != nil {
			if want != nil {
				t.Error(err)
			}
			continue
		}
		var got []string
		for _, a := range u.Inherited {
			got = append(got, a.Name+"="+a.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
