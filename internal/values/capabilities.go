package values

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"temper/internal/unit"
)

// capabilityNames are the names of capabilities(7) by number. systemd 247 and later know all of them.
var capabilityNames = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// CapSet is a set of capabilities: bit n is capability number n of capabilities(7).
type CapSet uint64

// AllCapabilities is the set of every capability that has a name.
const AllCapabilities CapSet = 1<<41 - 1

// CapabilityNames returns the names of all capabilities; the index is the number.
func CapabilityNames() []string { return slices.Clone(capabilityNames) }

// ParseCapability returns the set with the one capability that has this name, in any case, or this number. ok is false
// if there is none; systemd ignores such a word without a warning.
func ParseCapability(name string) (s CapSet, ok bool) {
	bit, ok := capabilityBit(name, Newest)
	return CapSet(bit) & AllCapabilities, ok
}

// CapabilitySet returns the set of the named capabilities; names that do not exist are left out.
func CapabilitySet(names ...string) CapSet {
	var s CapSet
	for _, name := range names {
		c, _ := ParseCapability(name)
		s |= c
	}
	return s
}

// narrower are the capabilities each of which is enough for a part of what a wider one allows; capabilities(7).
var narrower = map[string][]string{
	"CAP_DAC_OVERRIDE": {"CAP_DAC_READ_SEARCH"},
	"CAP_SYS_ADMIN":    {"CAP_BPF", "CAP_CHECKPOINT_RESTORE", "CAP_PERFMON"},
}

// NarrowerCapabilities returns the capabilities each of which is enough for a part of what a capability allows.
func NarrowerCapabilities(name string) []string { return slices.Clone(narrower[name]) }

// Names returns the names of the capabilities in the set, by number. Bits without a name are left out.
func (s CapSet) Names() []string {
	names := make([]string, 0, bits.OnesCount64(uint64(s)))
	for i, name := range capabilityNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Has reports whether every capability of t is in s.
func (s CapSet) Has(t CapSet) bool { return s&t == t }

// String returns the names with a blank between them, as CapabilityBoundingSet= takes them; "" is the empty set.
func (s CapSet) String() string { return strings.Join(s.Names(), " ") }

// ParseCapabilityBoundingSet returns the bounding set after a sequence of CapabilityBoundingSet= assignments, as a
// systemd version reads them. Without any assignment, it has every capability. See systemd.exec(5).
//
// An assignment that names no known capability replaces the set: by the empty set, or by the full set if it starts with
// "~".
func ParseCapabilityBoundingSet(values []string, version int) CapSet {
	unset := ^uint64(0)
	return CapSet(parseCapabilities(values, version, unset)) & AllCapabilities
}

// ParseAmbientCapabilities returns the capabilities that a sequence of AmbientCapabilities= assignments gives to a
// service, as a systemd version reads them. Without any assignment, there are none. Bits without a name stand for
// numbers that no capability has yet. See systemd.exec(5).
func ParseAmbientCapabilities(values []string, version int) CapSet {
	return CapSet(parseCapabilities(values, version, 0))
}

// parseCapabilities applies the assignments to a set that starts as unset. While the set has that value, the next
// assignment replaces it; after that, assignments are merged.
func parseCapabilities(values []string, version int, unset uint64) uint64 {
	set := unset
	for _, value := range values {
		list, inverted := strings.CutPrefix(value, "~")
		sum := capabilityBits(list, version)
		switch {
		case (sum == 0 || set == unset) && inverted:
			set = ^sum
			if sum == 0 && version >= sinceTildeIsAll && unset != 0 {
				set = 1<<63 - 1 // everything, and no longer unset
			}
		case sum == 0 || set == unset:
			set = sum
		case inverted:
			set &^= sum
		default:
			set |= sum
		}
	}
	return set
}

// capabilityBits returns the set of a list. Words that are not capabilities are skipped. Up to 252 the list ends at an
// open quote.
func capabilityBits(list string, version int) uint64 {
	flags := unit.Unquote
	if version >= sinceRelaxedCapabilities {
		flags |= unit.Relax
	}
	words, _ := unit.SplitWords(list, flags)
	var sum uint64
	for _, word := range words {
		bit, _ := capabilityBit(word, version)
		sum |= bit
	}
	return sum
}

func capabilityBit(word string, version int) (uint64, bool) {
	limit := 62
	if version < sinceRelaxedCapabilities {
		limit = 63
	}
	if n, ok := parseInt(word); ok {
		if n < 0 || n > int64(limit) {
			return 0, false
		}
		return 1 << n, true
	}
	for i, name := range capabilityNames {
		if strings.EqualFold(word, name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// parseInt reads a number as systemd's safe_atoi() does: decimal, 0x, 0o, 0b or a leading 0 for octal, in the range of
// a 32-bit int.
func parseInt(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\r")
	if strings.Contains(s, "_") { // accepted by Go, but not by systemd
		return 0, false
	}
	n, err := strconv.ParseInt(s, 0, 32)
	return n, err == nil
}
