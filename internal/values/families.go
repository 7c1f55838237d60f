package values

import (
	"slices"
	"strings"

	"temper/internal/unit"
)

// addressFamilies are the names that systemd accepts for the families of address_families(7), sorted. since is the
// first systemd version that knows the name, 0 if all do; alias is another name of the same family.
var addressFamilies = []struct {
	name  string
	since int
	alias string
}{
	{name: "AF_ALG"},
	{name: "AF_APPLETALK"},
	{name: "AF_ASH"},
	{name: "AF_ATMPVC"},
	{name: "AF_ATMSVC"},
	{name: "AF_AX25"},
	{name: "AF_BLUETOOTH"},
	{name: "AF_BRIDGE"},
	{name: "AF_CAIF"},
	{name: "AF_CAN"},
	{name: "AF_DECnet"},
	{name: "AF_ECONET"},
	{name: "AF_IB"},
	{name: "AF_IEEE802154"},
	{name: "AF_INET"},
	{name: "AF_INET6"},
	{name: "AF_IPX"},
	{name: "AF_IRDA"},
	{name: "AF_ISDN"},
	{name: "AF_IUCV"},
	{name: "AF_KCM"},
	{name: "AF_KEY"},
	{name: "AF_LLC"},
	{name: "AF_MCTP", since: 252},
	{name: "AF_MPLS"},
	{name: "AF_NETBEUI"},
	{name: "AF_NETLINK", alias: "AF_ROUTE"},
	{name: "AF_NETROM"},
	{name: "AF_NFC"},
	{name: "AF_PACKET"},
	{name: "AF_PHONET"},
	{name: "AF_PPPOX"},
	{name: "AF_QIPCRTR"},
	{name: "AF_RDS"},
	{name: "AF_ROSE"},
	{name: "AF_RXRPC"},
	{name: "AF_SECURITY"},
	{name: "AF_SMC"},
	{name: "AF_SNA"},
	{name: "AF_TIPC"},
	{name: "AF_UNIX", alias: "AF_LOCAL"},
	{name: "AF_UNIX", alias: "AF_FILE"},
	{name: "AF_VSOCK"},
	{name: "AF_WANPIPE"},
	{name: "AF_X25"},
	{name: "AF_XDP"},
}

// NoFamily is the word that RestrictAddressFamilies= accepts instead of a list, since systemd 249, to allow no family.
const (
	NoFamily      = "none"
	SinceNoFamily = 249
)

// AddressFamilies returns the names of all address families, sorted, aliases left out.
func AddressFamilies() []string {
	names := make([]string, 0, len(addressFamilies))
	for _, f := range addressFamilies {
		names = append(names, f.name)
	}
	return slices.Compact(names)
}

// KnownFamily reports whether a systemd version accepts a word as an address family.
func KnownFamily(word string, version int) bool {
	_, ok := familyName(word, version)
	return ok
}

// FamilyFilter is the result of a sequence of RestrictAddressFamilies= assignments.
type FamilyFilter struct {
	Set      bool            // something is filtered
	Allow    bool            // Families is an allow-list, not a deny-list
	Families map[string]bool // the names on the list, as AddressFamilies has them
}

// Permits reports whether sockets of a family, named as in [AddressFamilies], can be made.
func (f FamilyFilter) Permits(family string) bool { return f.Families[family] == f.Allow }

// ParseRestrictAddressFamilies returns the result of a sequence of RestrictAddressFamilies= assignments, as a systemd
// version reads them. See systemd.exec(5).
//
// The first assignment decides between an allow-list and a deny-list. Unknown names are ignored; since 258, everything
// after them on the line is ignored too. An allow-list that has only such names allows nothing.
func ParseRestrictAddressFamilies(values []string, version int) FamilyFilter {
	var f FamilyFilter
	for _, value := range values {
		f.assign(value, version)
	}
	f.Set = f.Allow || len(f.Families) > 0
	return f
}

func (f *FamilyFilter) assign(value string, version int) {
	if value == "" {
		*f = FamilyFilter{}
		return
	}
	if value == NoFamily && version >= SinceNoFamily {
		*f = FamilyFilter{Allow: true}
		return
	}
	list, inverted := strings.CutPrefix(value, "~")
	if f.Families == nil {
		f.Families, f.Allow = map[string]bool{}, !inverted
	}
	words, _ := unit.Words(list)
	for _, word := range words {
		name, ok := familyName(word, version)
		switch {
		case !ok && version >= sinceBadFamilyEndsLine:
			return
		case !ok:
		case inverted != f.Allow:
			f.Families[name] = true
		default:
			delete(f.Families, name)
		}
	}
}

// familyName returns the family that a word, in any case, names.
func familyName(word string, version int) (string, bool) {
	for _, f := range addressFamilies {
		if strings.EqualFold(word, f.name) || f.alias != "" && strings.EqualFold(word, f.alias) {
			return f.name, version >= f.since
		}
	}
	return "", false
}
