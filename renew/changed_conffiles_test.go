package renew

import (
	"os"
	"path/filepath"
	"testing"

	"temper/internal/host"
)

// TestChangedConffile: a configuration file that differs from that of its package is found, and a list of dpkg that
// cannot be read is an error, since it could name one.
func TestChangedConffile(t *testing.T) {
	const (
		unit   = "/usr/lib/systemd/system/web.service"
		status = "Package: web\nStatus: install ok installed\nConffiles:\n" +
			" /etc/web.conf d41d8cd98f00b204e9800998ecf8427e\nDescription: x\n"
	)
	for _, tt := range []struct {
		name    string
		files   map[string]string
		want    string
		isError bool
	}{
		{"no dpkg", nil, "", false},
		{"as packaged", map[string]string{"/etc/web.conf": ""}, "", false},
		{"changed", map[string]string{"/etc/web.conf": "port 81\n"}, "/etc/web.conf", false},
		{"missing", map[string]string{}, "/etc/web.conf", false},
		{"unreadable list", map[string]string{dpkgInfo + "/other.list/file": ""}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			write := func(name, text string) {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if tt.files != nil {
				write(dpkgStatus, status)
				write(dpkgInfo+"/web:amd64.list", unit+"\n/etc/web.conf\n")
			}
			for name, text := range tt.files {
				write(name, text)
			}
			got, err := changedConffile(t.Context(), host.At(root), []string{unit})
			if got != tt.want || (err != nil) != tt.isError {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
