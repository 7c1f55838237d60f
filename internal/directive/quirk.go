package directive

// First versions that read a directive differently. The exact release is known for the versions that were compared, 247,
// 252, 257 and 262; where the release between two of them is not, the first that may have it is meant.
const (
	quirkFamilyNone          = 249 // RestrictAddressFamilies=none
	quirkAllowWithErrno      = 249 // "~name:errno" keeps a name on an allow-list, refused with the error
	quirkRelaxedCapabilities = 253 // capability numbers up to 62; an open quote ends the word, not the list
	quirkTildeIsAll          = 258 // CapabilityBoundingSet=~ is a value, not "unset": the next line adds to it
	quirkTimeHasName         = 252 // RestrictNamespaces=time; before, one unknown name made the whole line void
	quirkTimeIsNamespace     = 258 // "time" belongs to all namespaces
	quirkBadFamilyEndsLine   = 258 // an unknown address family drops the rest of its line
	quirkBadAddressSkipped   = 250 // an invalid address prefix is skipped, not all that follows on its line
	quirkLeadingDotDot       = 253 // "/.." is "/"
)
