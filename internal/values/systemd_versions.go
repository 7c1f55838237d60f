// Package values tells what the assignments of systemd's list directives amount to, exactly as a systemd version
// reads them: capabilities, address families, namespaces, addresses, devices, architectures, errors and paths.
//
// A sequence of assignments goes in, in the order of the unit, with "" for an empty one; a set comes out. Facts come
// from systemd.exec(5) and systemd.resource-control(5) and were compared with systemd 247, 252, 257 and 262.
package values

// Newest is a version that knows every value.
const Newest = 1 << 20

// First versions that read a directive differently. Seen with 247, 252, 257 and 262; where it is not known which
// release between two of these changed, the first that may have is meant.
const (
	sinceRelaxedCapabilities = 253 // capability numbers up to 62; an open quote ends the word, not the list
	sinceTildeIsAll          = 258 // CapabilityBoundingSet=~ is a value, not "unset": the next line adds to it
	sinceTimeHasName         = 252 // RestrictNamespaces=time; before, one unknown name made the whole line void
	sinceTimeIsNamespace     = 258 // "time" belongs to all namespaces
	sinceBadFamilyEndsLine   = 258 // an unknown address family drops the rest of its line
	sinceBadAddressSkipped   = 250 // an invalid address prefix is skipped, not all that follows on its line
	sinceLeadingDotDot       = 253 // "/.." is "/"
)
