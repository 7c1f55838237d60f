// Package values parses the assignments of systemd's list directives, exactly as a systemd version reads them:
// capabilities, address families, namespaces, addresses, devices, architectures, errors and paths.
//
// Each parser takes a sequence of assignments in the order of the unit, with "" for an empty one, and returns a set.
// Facts come from systemd.exec(5) and systemd.resource-control(5) and were compared with systemd 247, 252, 257 and 262.
package values

// Newest is a version number that is newer than every value.
const Newest = 1 << 20

// The first versions that read a directive differently. The differences were seen between 247, 252, 257 and 262; if it
// is not known which release between two of these made the change, the number is the first one after the older of them.
const (
	sinceRelaxedCapabilities = 253 // capability numbers up to 62; an open quote ends the word, not the list
	sinceTildeIsAll          = 258 // CapabilityBoundingSet=~ is a value, not "unset": the next line adds to it
	sinceTimeHasName         = 252 // RestrictNamespaces=time; before, one unknown name made the whole line void
	sinceTimeIsNamespace     = 258 // "time" belongs to all namespaces
	sinceBadFamilyEndsLine   = 258 // an unknown address family drops the rest of its line
	sinceBadAddressSkipped   = 250 // an invalid address prefix is skipped, not all that follows on its line
	sinceLeadingDotDot       = 253 // "/.." is "/"
)
