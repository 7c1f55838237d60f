package exposure

import (
	"fmt"

	"temper/internal/syscalls"
)

// Newest is the newest systemd version whose scores were compared.
const Newest = 262

// oldest is the oldest.
const oldest = 247

// SinceOffline is the first version of systemd-analyze whose "security" has --offline and --json, and the rows, names
// and sentences that came with them. A unit of an earlier one is read as its running manager shows it.
const SinceOffline = 250

// sincePerUser is the first version that was seen to count services of users in their own way: 257 does not.
const sincePerUser = 262

// Options say as which systemd a unit is read and scored. A version between those that were compared (247, 252, 257,
// 262) is read as the manual pages say; its system call groups are those of the nearest version before it.
type Options struct {
	Version    int            // systemd's major version, from 247; 0 is Newest, and any later one is read as that
	Arch       string         // as uname(1) or Go name it; "" is this machine's
	Libseccomp string         // such as "2.5.5"; "" is the one that Debian has beside the systemd version
	User       bool           // units are those of the manager of a user, not of the system's
	Policy     SecurityPolicy // changes to the rows, as --security-policy= makes them
}

// Valid returns what is wrong with the options, or nil: a version before 247, or an architecture that is not known.
func (o Options) Valid() error {
	_, err := o.knowledge()
	return err
}

// Release is the version to read and score as.
func (o Options) Release() int {
	if o.Version == 0 {
		return Newest
	}
	return o.Version
}

// Before reports whether the version to score as is older than another.
func (o Options) Before(version int) bool { return o.Release() < version }

// knowledge is what an assessor has to know besides the service.
type knowledge struct {
	version int
	calls   syscalls.Set
	perUser bool // what a service may do is measured against what its user may
	brief   bool // nobody reads the sentences
}

func (o Options) knowledge() (knowledge, error) {
	if o.Before(oldest) {
		return knowledge{}, fmt.Errorf("systemd %d cannot be scored, want %d or newer", o.Version, oldest)
	}
	calls, err := syscalls.For(o.Release(), o.Arch, o.Libseccomp)
	return knowledge{version: o.Release(), calls: calls, perUser: o.User && !o.Before(sincePerUser)}, err
}
