package exposure

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/values"
)

// assessor assesses one aspect of a service. badness goes from 0 to the row's span, or is notApplicable. If sentence is
// empty, the good or bad sentence of the row is used.
type assessor func(s *Service, k knowledge) (badness int, sentence string)

const notApplicable = -1

// Assess scores a service. It returns an error only if the options are wrong.
func Assess(s Service, o Options) (Report, error) {
	r, err := assess(&s, o, make([]Row, 0, len(checks)))
	if err == nil {
		r.finish()
		sortRows(r.Rows, o.Release())
	}
	return r, err
}

// Sum is [Assess] without the rows: the exposure and its level.
func Sum(s Service, o Options) (Report, error) { return assess(&s, o, nil) }

// assess sums up the checks. If rows is not nil, it adds one row for each check.
func assess(s *Service, o Options, rows []Row) (Report, error) {
	k, err := o.knowledge()
	if err != nil {
		return Report{}, err
	}
	k.brief = rows == nil
	r := Report{Unit: s.Unit, Fragment: s.Fragment, Rows: rows}
	for i := range checks {
		c := &checks[i]
		if k.version < c.since {
			continue
		}
		row, err := c.row(s, k, o.Policy[c.field])
		if err != nil {
			return Report{}, err
		}
		if row.badness != notApplicable {
			r.sum += ceil(row.badness*row.weight, row.span)
			r.weights += row.weight
		}
		if rows != nil {
			r.Rows = append(r.Rows, row)
		}
	}
	if r.weights > 0 {
		r.Exposure = ceil(r.sum*100, r.weights)
	}
	r.Level = levelOf(r.Exposure)
	return r, nil
}

// row assesses one check. The span in the table decides which sentence is used, even if a policy sets another range.
func (c *check) row(s *Service, k knowledge, change Change) (Row, error) {
	row := Row{Name: c.name, JSONField: c.field, weight: c.weight, span: c.span}
	if k.version < SinceOffline && oldNames[c.name] != "" {
		row.Name = oldNames[c.name]
	}
	texts := c.change(&row, change)
	switch {
	case c.late && s.Early:
		row.badness, row.Description = notApplicable, "Service runs in special boot phase, option is not appropriate"
	case row.weight == 0:
		row.badness, row.Description = notApplicable, "Option excluded by policy, skipping"
	default:
		row.badness, row.Description = c.assess(s, k)
	}
	if row.badness > row.span {
		return Row{}, fmt.Errorf("policy: %s has the range %d, want at least %d", c.field, row.span, row.badness)
	}
	sentence := ""
	switch row.badness {
	case notApplicable:
		sentence = texts.na
	case c.span:
		row.Set, sentence = new(false), texts.bad
	case 0:
		row.Set, sentence = new(true), texts.good
	default:
		row.Set = new(false)
	}
	if row.Description == "" {
		row.Description = sentence
	}
	return row, nil
}

// texts are the three sentences of a row.
type texts struct{ good, bad, na string }

// finish computes what each row adds. Every division is rounded up, as systemd does it.
func (r *Report) finish() {
	for i := range r.Rows {
		if row := &r.Rows[i]; row.badness > 0 {
			row.Exposure = Tenths(ceil(ceil(row.badness*row.weight*100, row.span), r.weights))
		}
	}
}

// Unrounded is the exposure in points, 0 to 10, before it is rounded up to a tenth: it can differ where the printed
// exposure does not.
func (r Report) Unrounded() float64 {
	if r.weights == 0 {
		return 0
	}
	return 10 * float64(r.sum) / float64(r.weights)
}

func ceil(a, b int) int { return (a + b - 1) / b }

// on is good if the directive has a value other than no.
func on(name string) assessor {
	return func(s *Service, _ knowledge) (int, string) {
		if s.On(name) {
			return 0, ""
		}
		return 1, ""
	}
}

// off is good if the value of the directive is no.
func off(name string) assessor {
	return func(s *Service, _ knowledge) (int, string) {
		if s.On(name) {
			return 1, ""
		}
		return 0, ""
	}
}

// grade is the badness of one value.
type grade struct {
	value    string
	badness  int
	sentence string
}

// gradedValue grades the value of a directive. A value that is not listed counts as the first grade.
func gradedValue(name string, grades ...grade) assessor {
	return func(s *Service, _ knowledge) (int, string) {
		for _, g := range grades {
			if g.value == s.Values[name] {
				return g.badness, g.sentence
			}
		}
		return grades[0].badness, grades[0].sentence
	}
}

// without is good if none of the capabilities is left.
func without(names ...string) assessor {
	set := uint64(values.CapabilitySet(names...))
	return func(s *Service, _ knowledge) (int, string) {
		if s.Bounding&set != 0 {
			return 1, ""
		}
		return 0, ""
	}
}

// noNamespace is good if no namespace of this type can be made.
func noNamespace(name string) assessor {
	return func(s *Service, _ knowledge) (int, string) {
		if slices.Contains(s.Namespaces, name) {
			return 1, ""
		}
		return 0, ""
	}
}

// families is good if an allow-list has none of the families, or a deny-list any of them.
func families(names ...string) assessor {
	return func(s *Service, _ knowledge) (int, string) {
		listed := slices.ContainsFunc(names, func(f string) bool { return s.Families.Families[f] })
		return familyBadness(s, listed)
	}
}

// common are the address families that have rows of their own.
var common = []string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"}

// otherFamilies is the same assessment for all families that have no row of their own.
func otherFamilies(s *Service, _ knowledge) (int, string) {
	for f := range s.Families.Families {
		if !slices.Contains(common, f) {
			return familyBadness(s, true)
		}
	}
	return familyBadness(s, false)
}

func familyBadness(s *Service, listed bool) (int, string) {
	if listed == s.Families.Allow {
		return 1, ""
	}
	return 0, ""
}

// noCalls is good if an allow-list has none of the group's calls that exist on the architecture, or if a deny-list has
// all of them.
func noCalls(group string) assessor {
	return func(s *Service, k knowledge) (int, string) {
		if !s.Calls.Set {
			return 10, "Service does not filter system calls"
		}
		kind, badness, good := "deny", 10, "is included"
		if s.Calls.Allow {
			kind, badness, good = "allow", 9, "is not included"
		}
		offender := k.offender(s.Calls, group)
		switch {
		case k.brief && offender == "":
			return 0, ""
		case k.brief:
			return badness, ""
		case offender == "":
			return 0, fmt.Sprintf("System call %s list defined for service, and %s %s", kind, group, good)
		}
		bad := "is not included"
		if s.Calls.Allow {
			bad = "is included"
		}
		return badness, fmt.Sprintf("System call %s list defined for service, and %s %s (e.g. %s is allowed)",
			kind, group, bad, offender)
	}
}

// offender is the first call of a group that exists on the architecture and that a filter allows; "" if there is none.
func (k knowledge) offender(f CallFilter, group string) string {
	for _, call := range k.calls.NativeMembers(group) {
		if k.permits(f, call) {
			return call
		}
	}
	return ""
}

// permits reports whether a call counts as allowed. systemd-analyze up to 249 does not see that a call is denied if it
// has an error number of its own.
func (k knowledge) permits(f CallFilter, call string) bool {
	if k.version < SinceOffline && !f.Allow && f.Calls[call] > 0 {
		return true
	}
	return f.permits(call)
}

func assessUser(s *Service, k knowledge) (int, string) {
	switch {
	case s.User == "nobody":
		return 9, "Service runs under as 'nobody' user, which should not be used for services"
	case s.On("DynamicUser") && !isRoot(s.User):
		return 0, "Service runs under a transient non-root user identity"
	case s.User != "" && !isRoot(s.User):
		return 0, "Service runs under a static non-root user identity"
	case k.perUser:
		return 0, "Service runs under the calling user's identity"
	}
	return 10, ""
}

// privileged reports whether a service runs as root. Only the text of User= counts: no user is looked up.
func (k knowledge) privileged(s *Service) bool {
	switch {
	case k.perUser:
		return false
	case s.User == "":
		return !s.On("DynamicUser")
	}
	return isRoot(s.User)
}

func assessGroups(s *Service, k knowledge) (int, string) {
	switch {
	case k.privileged(s):
		return notApplicable, ""
	case len(s.Groups) > 0:
		return 1, ""
	}
	return 0, ""
}

func assessRemoveIPC(s *Service, k knowledge) (int, string) {
	switch {
	case k.perUser:
		return notApplicable, "RemoveIPC= has no effect on per-user services"
	case k.privileged(s):
		return notApplicable, ""
	}
	return on("RemoveIPC")(s, k)
}

func assessRoot(s *Service, _ knowledge) (int, string) {
	if strings.Trim(s.RootDirectory, "/") == "" && strings.Trim(s.RootImage, "/") == "" {
		return 1, ""
	}
	return 0, ""
}

func assessUMask(s *Service, _ knowledge) (int, string) {
	for _, g := range []struct {
		bit, badness int
		sentence     string
	}{
		{0o002, 10, "Files created by service are world-writable by default"},
		{0o004, 5, "Files created by service are world-readable by default"},
		{0o020, 2, "Files created by service are group-writable by default"},
		{0o040, 1, "Files created by service are group-readable by default"},
	} {
		if s.UMask&uint32(g.bit) == 0 {
			return g.badness, g.sentence
		}
	}
	return 0, "Files created by service are accessible only by service's own user by default"
}

func assessArchitectures(s *Service, _ knowledge) (int, string) {
	switch {
	case len(s.Architectures) == 0:
		return 10, "Service may execute system calls with all ABIs"
	case slices.Equal(s.Architectures, []string{"native"}):
		return 0, "Service may execute system calls only with native ABI"
	}
	return 8, "Service may execute system calls with multiple ABIs"
}

func assessAddresses(s *Service, _ knowledge) (int, string) {
	switch {
	case s.IPFilter:
		return 0, "Service defines custom ingress/egress IP filters with BPF programs"
	case !s.DenyAll:
		return 10, "Service does not define an IP address allow list"
	case s.AllowOther:
		return 5, "Service defines IP address allow list with non-localhost entries"
	case s.AllowLocal:
		return 2, "Service defines IP address allow list with only localhost entries"
	}
	return 0, "Service blocks all IP address ranges"
}

func assessDevices(s *Service, k knowledge) (int, string) {
	policy := s.Values["DevicePolicy"]
	switch {
	case policy != "closed" && policy != "strict":
		return 10, "Service has no device ACL"
	case len(s.Devices) == 0:
		return 0, "Service has a minimal device ACL"
	case k.version < SinceOffline:
		return 5, "Service has a device ACL with some special devices"
	}
	return 5, "Service has a device ACL with some special devices: " + strings.Join(s.Devices, " ")
}

func assessAmbient(s *Service, _ knowledge) (int, string) {
	if s.Ambient != 0 {
		return 1, ""
	}
	return 0, ""
}
