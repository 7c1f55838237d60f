package survey

import (
	"regexp"
	"strings"
)

// Causes for which a service does not run even without hardening.
const (
	NoConfiguration = "configuration"
	NoHardware      = "hardware"
	NoKernelModule  = "kernel module"
	NoPrivilege     = "privilege" // that no service has in a place
	NoNetwork       = "network"
	NoOtherService  = "another service"
	NoProgram       = "program or library" // of a package that its own only recommends, or forgot
	NoCause         = "unknown"            // perhaps the place is at fault
)

// causes are looked for in what the service said, in this order.
var causes = []struct {
	cause string
	words *regexp.Regexp
}{
	{NoProgram, regexp.MustCompile(`(?i)unable to locate executable|203/EXEC|in @INC|ModuleNotFoundError|No module named|` +
		`error while loading shared libraries|(^|\s)\S+: (command )?not found$|executable file not found`)},
	{NoKernelModule, regexp.MustCompile(`CONFIG_[A-Z0-9]+_|(?i:modprobe|kernel module|/lib/modules|module .* not found|not supported by.*kernel)`)},
	{NoHardware, regexp.MustCompile(`(?i)no (such )?device|\bdevices?\b|/dev/|hardware|no .*(adapter|controller|sensor|printer|card|modem)s? `)},
	{NoPrivilege, regexp.MustCompile(`(?i)operation not permitted|permission denied|not privileged|oom_score|memlock|netlink`)},
	{NoOtherService, regexp.MustCompile(`(?i)unit \S+ not found|job dependency|d-?bus|can.?t connect to|connection refused|(mysql|postgres|redis|ldap).*(fail|refused|connect)`)},
	{NoNetwork, regexp.MustCompile(`(?i)internet connection|/InRelease|interface|resolve|unreachable|no route|name resolution|cannot assign requested address`)},
	{NoConfiguration, regexp.MustCompile(
		`(?i)config|\.conf\b|\.ya?ml\b|\.toml\b|\.ini\b|not (set|defined|specified|enabled)|usage:|no such file|no \S+ directory|exec-condition|unknown (user|group)|missing|required`)},
}

// causeOf guesses from the reason and the log of a baseline why it failed.
func causeOf(reason string, log []string) string {
	text := strings.Join(append([]string{reason}, log...), "\n")
	for _, c := range causes {
		if c.words.MatchString(text) {
			return c.cause
		}
	}
	return NoCause
}
