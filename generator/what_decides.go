package generator

// A Rule says what has decided about a unit. temper.toml(5) has the rules in the same order and words.
type Rule string

// The rules, in the order in which they are asked: the first that is true of a unit decides about it.
const (
	ByNoProfile Rule = "no profile"     // it is masked, or no profile matches it
	ByDropin    Rule = "50-temper.conf" // somebody else has a drop-in of temper's name
	ByExclude   Rule = "exclude"        // the setting
	ByOffSwitch Rule = "off switch"     // of all units, or of this one
	ByBoot      Rule = "critical"       // the boot needs it and no profile names it
	ByRevoked   Rule = "revoked"        // a person's word
	ByProof     Rule = "proven"         // nothing has changed since
	ByStale     Rule = "stale"          // the setting: something has changed since the proof
	ByUnproven  Rule = "unproven"       // the setting: everything else
)

// Rules are all of them.
var Rules = []Rule{
	ByNoProfile, ByDropin, ByExclude, ByOffSwitch, ByBoot, ByRevoked, ByProof, ByStale, ByUnproven,
}
