package values

import (
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// DeviceRule is one entry of DeviceAllow=.
type DeviceRule struct {
	Path   string // a device node, or a group such as "char-rtc"
	Access string // some of "rwm", in this order
}

// String returns the entry as systemd shows it, "/dev/kvm:rw".
func (r DeviceRule) String() string { return r.Path + ":" + r.Access }

// ParseDeviceAllow returns the entries that a sequence of DeviceAllow= assignments makes, in order. Entries with an
// invalid path or access are ignored. expand replaces the specifiers in a path; if it returns an error, the entry is
// ignored. If expand is nil, paths are not changed. See systemd.resource-control(5).
func ParseDeviceAllow(values []string, version int, expand func(string) (string, error)) []DeviceRule {
	var rules []DeviceRule
	for _, value := range values {
		if value == "" {
			rules = nil
			continue
		}
		if r, ok := parseDeviceRule(value, version, expand); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

func parseDeviceRule(value string, version int, expand func(string) (string, error)) (DeviceRule, bool) {
	path, access, err := unit.FirstWord(value, unit.Unquote)
	if err != nil || strings.Trim(access, "rwm") != "" {
		return DeviceRule{}, false
	}
	if expand != nil {
		expanded, err := expand(path)
		if err != nil {
			return DeviceRule{}, false
		}
		path = expanded
	}
	if !strings.HasPrefix(path, "char-") && !strings.HasPrefix(path, "block-") {
		simple, ok := SimplifyPath(path, version)
		if path = simple; !ok || !host.Below("/dev", path) && !host.Below("/run/systemd/inaccessible", path) {
			return DeviceRule{}, false
		}
	}
	return DeviceRule{Path: path, Access: sortAccess(access)}, true
}

// sortAccess returns the letters in systemd's order, each once; none means all.
func sortAccess(access string) string {
	if access == "" {
		return "rwm"
	}
	var b strings.Builder
	for _, c := range "rwm" {
		if strings.ContainsRune(access, c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}
