package survey

import (
	"io/fs"
	"strings"
	"testing"
)

// TestSetups: each setup can be read and says what the service lacks.
func TestSetups(t *testing.T) {
	files, err := fs.Glob(setups, "setups/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d setups, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "setups/"), ".toml")
		s, found, err := setupOf(name)
		if err != nil || !found || len(s.Run)+len(s.Packages) == 0 {
			t.Errorf("%s: %v, %v, %+v", file, found, err, s)
		}
	}
	for _, name := range []string{"nothing-like-this", "../cause", ""} {
		if _, found, err := setupOf(name); found || err != nil {
			t.Errorf("%q: %v, %v", name, found, err)
		}
	}
}

// TestCauseOf: what services of Debian 13 said when they did not start as they were installed.
func TestCauseOf(t *testing.T) {
	for said, want := range map[string]string{
		"rpcbind: cannot open file = /run/rpcbind/rpcbind.xdr":                         NoCause,
		"Failed to open /etc/stunnel/stunnel.conf: No such file or directory":          NoConfiguration,
		"modprobe: FATAL: Module ipmi_si not found in directory /lib/modules/6.18.44":  NoKernelModule,
		"The following options are missing in the kernel: CONFIG_CRYPTO_USER_API_HASH": NoKernelModule,
		"No such device": NoHardware,
		"socket(AF_NETLINK): Operation not permitted":                                              NoPrivilege,
		"axfrdns.service: Unable to locate executable '/usr/bin/chpst': No such file or directory": NoProgram,
		"Can't locate NetSNMP/OID.pm in @INC (you may need to install the NetSNMP::OID module)":    NoProgram,
		"/usr/sbin/backup: line 7: psql: command not found":                                        NoProgram,
		"Failed to instantiate device.":                                                            NoHardware,
		"could not connect to database: mysql: connection refused":                                 NoOtherService,
		"ERROR: This machine has no working internet connection!":                                  NoNetwork,
		"/usr/sbin/fagenrules: No rules directory - /etc/fapolicyd/rules.d":                        NoConfiguration,
		"start: inactive (dead), result exec-condition":                                            NoConfiguration,
		"start: systemd refuses it: Unit pgbouncer.service not found.":                             NoOtherService,
		"interface eth0 does not exist":                                                            NoNetwork,
		"exited with status 3":                                                                     NoCause,
	} {
		if got := causeOf("it does not run: exit status 1", []string{said}); got != want {
			t.Errorf("%q is for lack of %s, want %s", said, got, want)
		}
	}
}
