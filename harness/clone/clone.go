// Package clone makes the transient units of a trial, which run like the service.
//
// A [Clone] has the text of the units of the service and its sockets, in the order in which systemd reads it, without
// the directives that act on other units or on the machine. [FindActivation] finds the units that start the service;
// [Write] and [Remove] write and remove the files of the clone.
package clone

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/unit"
)

// Names of the drop-ins that systemd reads before and after temper's own drop-in, which has the same name as at boot.
const (
	EarlyDropin = "00-service.conf"
	LateDropin  = "99-service.conf"
)

// kept are the directives of [Unit] that a clone keeps, and their names in the clone: the dependencies and their order.
// All others act on other units or on the machine (OnFailure=, Conflicts=, FailureAction= ...), or could prevent the
// start of the trial (Condition...=). Requisite= becomes Requires=, since a place starts few units by itself.
var kept = map[string]string{
	"Documentation": "Documentation", "After": "After",
	"Requires": "Requires", "Requisite": "Requires", "Wants": "Wants",
	"BindsTo": "BindsTo", "DefaultDependencies": "DefaultDependencies", "RequiresMountsFor": "RequiresMountsFor",
	"WantsMountsFor": "WantsMountsFor", "JoinsNamespaceOf": "JoinsNamespaceOf", "IgnoreOnIsolate": "IgnoreOnIsolate",
}

// dependencies are the directives of kept whose values are names of units.
var dependencies = []string{"After", "Requires", "Requisite", "Wants", "BindsTo"}

// dropped are the directives of [Service] and [Socket] that a clone leaves out: temper starts it, and its log must be
// in the journal of the place. The function restart decides about restarts, and Files about the slice.
var dropped = []string{
	"Restart", "RestartSteps", "RestartMaxDelaySec", "RestartMode", "Slice", "Sockets", "LogNamespace",
	"StartLimitInterval", "StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument", "Service",
}

// A Clone is what runs in a trial in place of a service.
type Clone struct {
	Unit          *unit.Unit
	Activation    Activation
	NoDevices     bool   // the place has no devices
	Requires      string // the unit without which the clone must not run; empty if there is none
	SharesBusName bool   // the original is loaded too: systemd allows each bus name for one loaded unit only
	OwnSlice      bool   // the clone runs in a slice of its own
}

// BusName is the bus name on which systemd waits when it starts a unit; "" if there is none; systemd.service(5).
func BusName(u *unit.Unit) string {
	name, _ := u.Last("Service", "BusName")
	kind, _ := u.Last("Service", "Type")
	if name.Value == "" || kind.Value != "" && kind.Value != "dbus" {
		return ""
	}
	full, _ := u.Expand(name.Value) // systemd does not accept what cannot be expanded
	return full
}

// ForEachConnection reports whether the unit is the template of a service for each connection.
func (c Clone) ForEachConnection() bool {
	return len(c.Activation.Sockets) > 0 && accepts(c.Activation.Sockets[0])
}

// Service is the name of the clone: of a transient unit, or of a template. The clone of an instance has the same
// instance name.
func (c Clone) Service(stem string) string {
	if c.ForEachConnection() {
		return stem + "@.service"
	}
	if unit.IsInstance(c.Unit.ID) {
		return stem + "@" + unit.Instance(c.Unit.ID) + ".service"
	}
	return stem + ".service"
}

// Slice is the name of the slice of a clone that has its own. That of instances has the name that systemd gives it.
func (c Clone) Slice(stem string) string { return "system-" + unit.Escape(stem) + ".slice" }

// Cgroup is the control group of the clone, below that of its manager; of a clone for each connection, the one in which
// its instances are. A clone without a slice of its own is in that of the service, whose limits are also its own.
func (c Clone) Cgroup(stem string) string {
	if c.OwnSlice || c.ForEachConnection() {
		return path.Join("system.slice", c.Slice(stem))
	}
	group := c.Service(stem)
	for _, slice := range c.Unit.Slices() {
		if slice != "-.slice" {
			group = path.Join(slice, group)
		}
	}
	return group
}

// SocketNames are the names of the clones of the sockets.
func (c Clone) SocketNames(stem string) []string {
	var names []string
	for i := range c.Activation.Sockets {
		if i > 0 {
			stem = fmt.Sprintf("%s-s%d", stem, i)
		}
		names = append(names, stem+".socket")
	}
	return names
}

// Files returns the files of the clone, by their names below [Dir]. They contain the text of the unit and its sockets
// in the order in which systemd reads it, with the names of the original expanded, and temper's drop-in. In both, paths
// that are named after the running unit are named after the clone.
func (c Clone) Files(stem, dropin string) map[string]string {
	service := c.Service(stem)
	early, late := c.text(c.Unit, "Service")
	early = append(c.awaitBusName(), early...)
	late = append(late, c.end(dropin)...)
	switch slice := (unit.Assignment{Section: "Service", Name: "Slice"}); {
	case c.OwnSlice:
		slice.Value = c.Slice(stem)
		late = append(late, slice)
	case !c.ForEachConnection():
		slice.Value = c.Unit.Slices()[0]
		late = append(late, slice)
	}
	files := map[string]string{
		service + ".d/" + EarlyDropin: c.inOwnPaths(unit.Text(early), stem),
		service + ".d/" + LateDropin:  c.inOwnPaths(unit.Text(late), stem),
	}
	if dropin != "" {
		files[service+".d/"+generator.Dropin] = c.inOwnPaths(dropin, stem)
	}
	if c.ForEachConnection() {
		files[service] = "# The template of a trial; its text is in the drop-ins.\n"
	}
	for i, name := range c.SocketNames(stem) {
		early, late := c.text(c.Activation.Sockets[i], "Socket")
		files[name+".d/"+EarlyDropin] = unit.Text(
			slices.Concat(early, late, c.socketEnd(c.Activation.Sockets[i], service)),
		)
	}
	return files
}

// text returns the assignments of a unit that its clone keeps: those that systemd reads before temper's drop-in, and
// those that it reads after it. It leaves out drop-ins for all units of the type, since systemd applies them to the
// clone too.
func (c Clone) text(u *unit.Unit, section string) (early, late []unit.Assignment) {
	for _, a := range u.Without(generator.Dropin).Assignments {
		if strings.HasSuffix(path.Dir(a.Pos.Path), "/"+unit.Type(u.ID)+".d") {
			continue
		}
		own, ok := c.own(a, section)
		if !ok {
			continue
		}
		own.Value = c.expand(u, own.Value)
		if a.Pos.Path != u.Fragment && path.Base(a.Pos.Path) > generator.Dropin {
			late = append(late, own)
		} else {
			early = append(early, own)
		}
	}
	return early, late
}

// expand expands the specifiers whose values differ between a unit and its clone. It leaves those with the same value
// to systemd: an instance name can contain backslashes, which mean different things in a command line and in a path.
func (c Clone) expand(u *unit.Unit, value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		specifier := value[i : i+2]
		if i++; strings.Contains("iIf", specifier[1:]) && unit.Instance(u.ID) != "" && u == c.Unit {
			b.WriteString(specifier)
		} else {
			b.WriteString(u.ExpandNames(specifier))
		}
	}
	return b.String()
}

// own returns an assignment as the clone has it, and whether the clone keeps it.
func (c Clone) own(a unit.Assignment, section string) (unit.Assignment, bool) {
	if a.Section == section {
		return a, !slices.Contains(dropped, a.Name) && !(c.SharesBusName && a.Name == "BusName")
	}
	name, ok := kept[a.Name]
	if a.Section != "Unit" || !ok {
		return a, false
	}
	if slices.Contains(dependencies, a.Name) {
		a.Value = strings.Join(slices.DeleteFunc(strings.Fields(a.Value), c.foreign), " ")
		ok = a.Value != ""
	}
	a.Name = name
	return a, ok
}

// awaitBusName returns a command that waits for the bus name before the commands of ExecStartPost= run, if systemd does
// not wait for it.
func (c Clone) awaitBusName() []unit.Assignment {
	name := BusName(c.Unit)
	if after, _ := c.Unit.Last("Service", "ExecStartPost"); !c.SharesBusName || name == "" || after.Value == "" {
		return nil
	}
	wait := fmt.Sprintf("+/bin/sh -c 'until busctl status %s >/dev/null 2>&1; do sleep 0.02; done'", name)
	return []unit.Assignment{{Section: "Service", Name: "ExecStartPost", Value: wait}}
}

// foreign reports whether a trial cannot depend on a unit: the unit would start the original, or never appears in the
// place.
func (c Clone) foreign(name string) bool {
	return slices.Contains(c.Activation.Starters, name) || c.NoDevices && unit.Type(name) == "device"
}

// end returns the assignments that every clone of a service has at its end.
func (c Clone) end(dropin string) []unit.Assignment {
	var end []unit.Assignment
	add := func(section, name, value string) {
		end = append(end, unit.Assignment{Section: section, Name: name, Value: value})
	}
	add("Unit", "StartLimitIntervalSec", "0")
	if c.Requires != "" {
		add("Unit", "BindsTo", c.Requires)
		add("Unit", "After", c.Requires)
	}
	if c.ForEachConnection() {
		add("Unit", "CollectMode", "inactive") // failed instances stay loaded
	}
	if c.SharesBusName && BusName(c.Unit) != "" {
		add("Service", "Type", "exec")
	}
	add("Service", "Restart", restart(c.Unit))
	if user := dynamicUser(c.Unit, dropin); user != "" {
		add("Service", "User", user)
	}
	return end
}

// restart is the Restart= of a clone: systemd restarts it after a success if the unit asks for that, and never after a
// failure.
func restart(u *unit.Unit) string {
	a, _ := u.Last("Service", "Restart")
	if a.Value == "always" || a.Value == "on-success" {
		return "on-success"
	}
	return "no"
}

// userName matches the user names that systemd accepts in its strict mode; valid_user_group_name() in user-util.c.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,30}$`)

// dynamicUser is the user name that systemd derives from the name of a unit with DynamicUser= and without User=. The
// clone has another name, so it sets User= to this. It is "" if systemd allocates no user, or hashes the unit's name
// since it is no valid user name.
func dynamicUser(u *unit.Unit, dropin string) string {
	if dropin != "" {
		if hardened, err := u.Without(generator.Dropin).With(generator.Dropin, dropin); err == nil {
			u = hardened
		}
	}
	if user, _ := u.Last("Service", "User"); !IsDynamic(u) || user.Value != "" {
		return ""
	}
	return userName.FindString(unit.Prefix(u.ID))
}

// IsDynamic reports whether systemd allocates a user for a unit.
func IsDynamic(u *unit.Unit) bool {
	a, _ := u.Last("Service", "DynamicUser")
	yes, _ := unit.Bool(a.Value)
	return yes
}

// socketEnd returns the assignments at the end of the clone of a socket: it starts the clone of the service, and its
// descriptors have the same name as those of the original.
func (c Clone) socketEnd(socket *unit.Unit, service string) []unit.Assignment {
	if c.ForEachConnection() {
		return nil // the names of socket and template agree, and systemd names each descriptor after its connection
	}
	end := []unit.Assignment{{Section: "Socket", Name: "Service", Value: service}}
	if name, _ := socket.Last("Socket", "FileDescriptorName"); name.Value == "" {
		id := strings.ReplaceAll(socket.ID, "%", "%%")
		end = append(end, unit.Assignment{Section: "Socket", Name: "FileDescriptorName", Value: id})
	}
	return end
}
