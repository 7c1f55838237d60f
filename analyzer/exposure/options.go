package exposure

import (
	"fmt"

	"temper/internal/syscalls"
)

// Newest is the newest systemd version whose scores were compared.
const Newest = 262

// oldest is the oldest systemd version whose scores were compared.
const oldest = 247

// SinceOffline is the first version whose "systemd-analyze security" has --offline and --json, and the rows, names and
// sentences that came with them. For an earlier version, a unit is scored as its running manager shows it.
const SinceOffline = 250

// sincePerUser is the first compared version that has rules of its own for services of user managers: 257 has none.
const sincePerUser = 262

// Options say which systemd version reads and scores a unit. A version between the compared ones (247, 252, 257, 262)
// follows the manual pages; its system call groups are those of the next older compared version.
type Options struct {
	Version    int            // systemd's major version, from 247; 0 is Newest, and a later version counts as Newest
	Arch       string         // as uname(1) or Go names it; "" is this machine's
	Libseccomp string         // such as "2.5.5"; "" is the one that Debian ships with the systemd version
	User       bool           // units belong to a user manager, not to the system manager
	Policy     SecurityPolicy // changes to the rows, as --security-policy= makes them
}

// Valid returns an error if the version is older than 247 or the architecture is not known.
func (o Options) Valid() error {
	_, err := o.knowledge()
	return err
}

// Release is the systemd version whose rules apply.
func (o Options) Release() int {
	if o.Version == 0 {
		return Newest
	}
	return o.Version
}

// Before reports whether the version whose rules apply is older than another.
func (o Options) Before(version int) bool { return o.Release() < version }

// knowledge is what an assessor needs to know apart from the service.
type knowledge struct {
	version int
	calls   syscalls.Set
	perUser bool // what a service may do is compared with what its user may do
	brief   bool // the sentences are not needed
}

func (o Options) knowledge() (knowledge, error) {
	if o.Before(oldest) {
		return knowledge{}, fmt.Errorf("systemd %d cannot be scored, want %d or newer", o.Version, oldest)
	}
	calls, err := syscalls.For(o.Release(), o.Arch, o.Libseccomp)
	return knowledge{version: o.Release(), calls: calls, perUser: o.User && !o.Before(sincePerUser)}, err
}
