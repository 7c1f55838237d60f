package draft

import (
	"testing"

	"temper/internal/host"
	"temper/internal/testroot"
)

// TestReadProgram: the files of programs tell which of them open sessions for users, also by another program.
func TestReadProgram(t *testing.T) {
	root := host.At(testroot.Path(t, "common-trixie"))
	for name, want := range map[string]program{
		"/usr/sbin/cron":         {opensSession: true},
		"/usr/sbin/sshd":         {opensSession: true},
		"/usr/sbin/vsftpd":       {opensSession: true},
		"/usr/sbin/nginx":        {},
		"/usr/sbin/haproxy":      {},
		"/usr/bin/redis-server":  {},
		"/etc/init.d/nginx":      {},
		"/usr/sbin/not-there":    {},
		"/usr/lib/openssh/login": {},
	} {
		if got := readProgram(root, name); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}
