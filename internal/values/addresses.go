package values

import (
	"net/netip"
	"slices"
	"strings"

	"temper/internal/unit"
)

// addressShorthands are the names that IPAddressAllow= and IPAddressDeny= accept for prefixes.
var addressShorthands = []struct {
	name     string
	prefixes [2]string
}{
	{"any", [2]string{"0.0.0.0/0", "::/0"}},
	{"localhost", [2]string{"127.0.0.0/8", "::1/128"}},
	{"link-local", [2]string{"169.254.0.0/16", "fe80::/64"}},
	{"multicast", [2]string{"224.0.0.0/4", "ff00::/8"}},
}

// Addresses is a set of address prefixes: masked, sorted, each once.
type Addresses []netip.Prefix

// Covers reports whether every address of the prefixes is in a.
func (a Addresses) Covers(prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if !slices.ContainsFunc(a, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return false
		}
	}
	return true
}

// ParseAddresses is [ParseIPAddresses] as the newest systemd reads the values.
func ParseAddresses(values []string) Addresses { return ParseIPAddresses(values, Newest) }

// ParseIPAddresses returns the prefixes that a sequence of IPAddressAllow= or IPAddressDeny= assignments lists, as a
// systemd version reads them. See systemd.resource-control(5).
//
// Words that are not a prefix are ignored; up to 249, everything after them on the line is ignored too.
func ParseIPAddresses(values []string, version int) Addresses {
	var list Addresses
	for _, value := range values {
		if value == "" {
			list = nil
			continue
		}
		words, _ := unit.SplitWords(value, 0)
		for _, word := range words {
			prefixes, ok := ParsePrefixes(word)
			if !ok && version < sinceBadAddressSkipped {
				break
			}
			list = append(list, prefixes...)
		}
	}
	slices.SortFunc(list, netip.Prefix.Compare)
	return slices.Compact(list)
}

// ParsePrefixes returns the prefixes that one word of IPAddressAllow= or IPAddressDeny= stands for, masked: one address
// or prefix, or a shorthand such as "localhost". ok is false if systemd does not accept the word.
func ParsePrefixes(word string) (prefixes []netip.Prefix, ok bool) {
	if isLocalhost(word) {
		word = "localhost"
	}
	for _, s := range addressShorthands {
		if s.name == word {
			return []netip.Prefix{netip.MustParsePrefix(s.prefixes[0]), netip.MustParsePrefix(s.prefixes[1])}, true
		}
	}
	text, length, hasLength := strings.Cut(word, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return nil, false
	}
	bits := addr.BitLen()
	if hasLength {
		n, ok := parseInt(length)
		if !ok || n < 0 || n > int64(bits) {
			return nil, false
		}
		bits = int(n)
	}
	return []netip.Prefix{netip.PrefixFrom(addr, bits).Masked()}, true
}

// isLocalhost reports whether a host name means this machine for systemd: the names of RFC 6761, and Red Hat's
// localdomain.
func isLocalhost(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	name = strings.TrimSuffix(name, ".localdomain")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
