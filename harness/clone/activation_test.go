package clone

import (
	"testing"

	"temper/internal/unit"
)

// TestStarted: what a socket, timer or path starts, named or by its own name.
func TestStarted(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a.socket": {"[Socket]\nListenStream=1\n", "a.service"},
		"b.socket": {"[Socket]\nListenStream=1\nAccept=yes\n", "b@.service"},
		"c.socket": {"[Socket]\nListenStream=1\nService=other-%p.service\n", "other-c.service"},
		"d.timer":  {"[Timer]\nOnBootSec=1\n", "d.service"},
		"e.timer":  {"[Timer]\nOnBootSec=1\nUnit=other.service\n", "other.service"},
		"f.path":   {"[Path]\nPathExists=/x\n", "f.service"},
	} {
		u, _ := load(t, name, map[string]string{"/usr/lib/systemd/system/" + name: tc.text})
		if got := started(u); got != tc.want {
			t.Errorf("%s starts %s, want %s", name, got, tc.want)
		}
	}
}

// TestBelongs: a socket that is started with a service belongs to it; a socket that is only installed does not.
func TestBelongs(t *testing.T) {
	const (
		socket    = "[Socket]\nListenStream=1\n"
		installed = "[Install]\nWantedBy=a.target\n"
	)
	vendor := map[string]string{"/usr/lib/systemd/system/sockets.target.wants/a.socket": ""}
	other := map[string]string{"/etc/systemd/system/sockets.target.wants/b.socket": ""}
	for name, tc := range map[string]struct {
		service string
		files   map[string]string
		want    bool
	}{
		"installed beside it":   {service: "[Service]\nExecStart=/x\n" + installed},
		"the only one to start": {service: "[Service]\nExecStart=/x\n", want: true},
		"activated by bus":      {service: "[Service]\nExecStart=/x\nBusName=a.b\n"},
		"required": {
			service: "[Unit]\nRequires=%N.socket\n[Service]\nExecStart=/x\n" + installed,
			want:    true,
		},
		"named":                   {service: "[Service]\nSockets=a.socket\nExecStart=/x\n" + installed, want: true},
		"enabled by its vendor":   {service: "[Service]\nBusName=a.b\n", files: vendor, want: true},
		"enabled for another one": {service: "[Service]\nBusName=a.b\n", files: other},
	} {
		t.Run(name, func(t *testing.T) {
			const dir = "/usr/lib/systemd/system/"
			files := map[string]string{dir + "a.service": tc.service, dir + "a.socket": socket}
			for file, text := range tc.files {
				files[file] = text
			}
			s, root := load(t, "a.service", files)
			x, err := (&unit.Loader{Root: root}).Load("a.socket")
			if err != nil {
				t.Fatal(err)
			}
			if got := belongs(root, s, x); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
