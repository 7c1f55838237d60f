package place

import "temper/harness/place/nspawn"

// Trusted reports whether the root of the place is the root of the machine: the host, and a container that was asked for so.
func (p *Place) Trusted() bool { return !p.users.Private() }

// Withholds reports whether the place refuses its root a system call that it would be allowed on the machine with a capability.
func (p *Place) Withholds(capability, call string) bool {
	return !p.Trusted() && nspawn.Withholds(capability, call)
}

// Downgrades reports whether the place refuses its root a system call that it would be allowed on the machine with a capability,
// and that programs do without.
func (p *Place) Downgrades(capability, call string) bool {
	return !p.Trusted() && nspawn.Downgrades(capability, call)
}
