package kernelstate

import (
	"fmt"
	"testing"
)

// TestTables: what the kernel does by itself when an interface comes up changes nothing, what a service does with
// addresses and routes does.
func TestTables(t *testing.T) {
	const (
		addresses = "/proc/thread-self/net/if_inet6"
		routes    = "/proc/thread-self/net/ipv6_route"
		zero      = "00000000000000000000000000000000"
		one       = "fd000000000001920000000000000002 02 40 00 80     eth0\n"
		other     = "fd000000000001920000000000000003 02 40 00 80     eth0\n"
		next      = " " + zero + " 00 " + zero + " 00000100 00000001 00000000 00000001     eth0\n"
	)
	for _, tc := range []struct {
		name, table, before, after string
		same                       bool
	}{
		{
			"an address is checked, and the link gets one", addresses,
			"fd000000000001920000000000000002 02 40 00 c0     eth0\n",
			"fe80000000000000000000fffe000202 02 40 20 80     eth0\n" + one,
			true,
		},
		{
			"a service adds an address", addresses, one, one + other,
			false,
		},
		{
			"a service removes an address", addresses, one, "", false,
		},
		{
			"the link gets routes", routes, "",
			"fe800000000000000000000000000000 40" + next + "ff000000000000000000000000000000 08" + next,
			true,
		},
		{
			"a service adds a route", routes, "",
			"fd000000000000000000000000000000 40" + next,
			false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stable := tables[tc.table]
			if same := stable(tc.before) == stable(tc.after); same != tc.same {
				t.Errorf("the same: %v, want %v: %q, %q", same, tc.same, stable(tc.before), stable(tc.after))
			}
		})
	}
}

// TestTooManyVariables: somebody has made interfaces without end, and each has variables.
func TestTooManyVariables(t *testing.T) {
	state := map[string]string{}
	for i := range maxVariables {
		state[fmt.Sprint(i)] = ""
	}
	if err := addNetworkVariables(state); err == nil {
		t.Errorf("%d variables were read", len(state))
	}
}
