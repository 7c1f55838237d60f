package interpret

import (
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/directive"
	"temper/internal/unit"
	"temper/internal/values"
)

// imply applies what PID 1 itself sets in a unit after it has read all files.
func (r *reader) imply(s *exposure.Service) {
	for _, d := range directive.All() {
		if !d.Ordered() || !s.On(d.Name) {
			continue
		}
		for _, e := range d.Implies {
			if r.Version >= e.Since && (e.Until == 0 || r.Version <= e.Until) {
				r.apply(s, e)
			}
		}
	}
	if s.On("DynamicUser") && s.User == "" {
		s.User = dynamicName(r.unit.ID)
	}
	r.implyDevices(s)
}

// narrowed are the lists from which another directive removes something. The system calls that other directives refuse
// are not part of SystemCallFilter=.
var narrowed = map[string]func(s *exposure.Service, value string, version int){
	"CapabilityBoundingSet": func(s *exposure.Service, value string, version int) {
		s.Bounding &= uint64(values.ParseCapabilityBoundingSet([]string{value}, version))
	},
}

// apply makes an implied assignment, unless the unit has a stronger value.
func (r *reader) apply(s *exposure.Service, e directive.Effect) {
	if narrow, ok := narrowed[e.Directive]; ok {
		narrow(s, e.Value, r.Version)
		return
	}
	target, ok := directive.Lookup(e.Directive)
	if !ok || !target.Ordered() {
		return
	}
	now, _ := target.Value(s.Values[e.Directive], r.Version)
	if implied, known := target.Value(e.Value, r.Version); known && implied.Rank > now.Rank {
		s.Values[e.Directive] = implied.Name
	}
}

// impliedDevices are the entries that systemd adds to the list of devices if the unit has a device policy or a list.
var impliedDevices = []struct {
	when         func(*reader, *exposure.Service) bool
	since, until int // first and last systemd version; 0 = no bound
	entries      []string
}{
	{when: (*reader).mountsImages, entries: []string{
		"/dev/loop-control:rw", "/dev/mapper/control:rw", "block-loop:rwm", "block-blkext:rwm",
		"block-device-mapper:rwm",
	}},
	{when: protectsClock, entries: []string{"char-rtc:r"}},
	{when: (*reader).decrypts, since: 250, until: 252, entries: []string{"/dev/tpmrm0:rw"}},
	{when: (*reader).decrypts, since: 253, until: 257, entries: []string{"char-tpm:rw"}},
}

// implyDevices adds the impliedDevices. systemd keeps the list in reverse order.
func (r *reader) implyDevices(s *exposure.Service) {
	if s.Values["DevicePolicy"] != "auto" || len(s.Devices) > 0 {
		for _, d := range impliedDevices {
			if r.Version >= d.since && (d.until == 0 || r.Version <= d.until) && d.when(r, s) {
				s.Devices = append(s.Devices, d.entries...)
			}
		}
	}
	slices.Reverse(s.Devices)
}

func protectsClock(_ *reader, s *exposure.Service) bool { return s.On("ProtectClock") }

func (r *reader) mountsImages(s *exposure.Service) bool {
	return s.RootImage != "" || r.holds("MountImages") || r.Version >= 260 && r.lastPath("RootMStack") != ""
}

// holds reports whether a list directive has an entry of the form A:B after its last empty assignment.
func (r *reader) holds(name string) bool {
	held := false
	for _, v := range r.values(name) {
		held = v != "" && (held || hasTwoParts(v))
	}
	return held
}

func hasTwoParts(value string) bool {
	from, to, _ := strings.Cut(value, ":")
	return from != "" && to != ""
}

// dynamicName is the user name that DynamicUser= makes from a unit's name: the name itself if it is a portable user
// name, else a hash. Here it only matters that this is neither root nor nobody.
func dynamicName(id string) string {
	name := unit.Prefix(id)
	if name == "" || len(name) > 31 || strings.Trim(name, portable) != "" || strings.Contains("0123456789-", name[:1]) {
		return "_du"
	}
	return name
}

const portable = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
