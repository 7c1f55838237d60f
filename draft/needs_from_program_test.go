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

// TestLinkedWith: a library that says what a program needs is known by its name, whatever its version.
func TestLinkedWith(t *testing.T) {
	f := elfFile{libraries: []string{"libc.so.6", "libluajit-5.1.so.2", "libmilter.so.1.0.1"}}
	if got := f.linkedWith(codeMakers); got != "libluajit-5.1.so.2" {
		t.Errorf("makes code by %q", got)
	}
	if got := f.linkedWith(nameAskers); got != "libmilter.so.1.0.1" {
		t.Errorf("asks names by %q", got)
	}
	if got := (elfFile{libraries: f.libraries[:1]}).linkedWith(nameAskers); got != "" {
		t.Errorf("the C library alone asks names by %q", got)
	}
}
