// Package clone makes the transient units by which a trial runs as a service does.
//
// A [Clone] has the text of the service's unit, and of its sockets, in the order in which systemd reads it.
// [FindActivation] finds what starts the service, [Write] and [Remove] its files. What acts on other units or on the
// machine is left out.
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

// Names of the drop-ins of a trial: what systemd reads before and after temper's own, which has the name it has at
// boot.
const (
	EarlyDropin = "00-service.conf"
	LateDropin  = "99-service.conf"
)

// kept are the settings of [Unit] that a trial takes over, and their names there: what must be there or come first. All
// others act on other units or on the machine (OnFailure=, Conflicts=, FailureAction= ...), or would keep the trial
// from starting (Condition...=). What a unit wants running already is started: the place runs little of its own accord.
var kept = map[string]string{
	"Documentation": "Documentation", "After": "After",
	"Requires": "Requires", "Requisite": "Requires", "Wants": "Wants",
	"BindsTo": "BindsTo", "DefaultDependencies": "DefaultDependencies", "RequiresMountsFor": "RequiresMountsFor",
	"WantsMountsFor": "WantsMountsFor", "JoinsNamespaceOf": "JoinsNamespaceOf", "IgnoreOnIsolate": "IgnoreOnIsolate",
}

// dependencies are those of kept whose values are names of units.
var dependencies = []string{"After", "Requires", "Requisite", "Wants", "BindsTo"}

// dropped are the settings of [Service] and [Socket] that a trial leaves out: it is started by itself, and logs where
// it can be found. How often it is restarted is decided by restart.
var dropped = []string{
	"Restart", "RestartSteps", "RestartMaxDelaySec", "RestartMode", "Slice", "Sockets", "LogNamespace",
	"StartLimitInterval", "StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument", "Service",
}

// A Clone is what runs in a trial in place of a service.
type Clone struct {
	Unit          *unit.Unit
	Activation    Activation
	NoDevices     bool   // the place has no devices to wait for
	Requires      string // the unit without which the clone must not run; empty if there is none
	SharesBusName bool   // the original is loaded, too: of a name on the bus systemd lets one unit wait
	OwnSlice      bool   // the clone runs in a slice of its own
}

// BusName is the name on the bus with which a unit is ready, "" if there is none; systemd.service(5).
func BusName(u *unit.Unit) string {
	name, _ := u.Last("Service", "BusName")
	kind, _ := u.Last("Service", "Type")
	if name.Value == "" || kind.Value != "" && kind.Value != "dbus" {
		return ""
	}
	full, _ := u.Expand(name.Value) // what cannot be expanded systemd does not take either
	return full
}

// ForEachConnection reports whether the unit is the template of a service for each connection.
func (c Clone) ForEachConnection() bool {
	return len(c.Activation.Sockets) > 0 && accepts(c.Activation.Sockets[0])
}

// Service is the name of the clone: that of a transient unit, or of a template. An instance keeps its instance.
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

// Files returns the files below [Dir], by name, that make transient units of these names run as the unit and its
// sockets do under temper's drop-in: their text in the order in which systemd reads it, their own names filled in.
func (c Clone) Files(stem, dropin string) map[string]string {
	service := c.Service(stem)
	early, late := c.text(c.Unit, "Service")
	early = append(c.awaitBusName(), early...)
	late = append(late, c.end(dropin)...)
	if c.OwnSlice {
		late = append(late, unit.Assignment{Section: "Service", Name: "Slice", Value: c.Slice(stem)})
	}
	files := map[string]string{
		service + ".d/" + EarlyDropin: unit.Text(early),
		service + ".d/" + LateDropin:  unit.Text(late),
	}
	if dropin != "" {
		files[service+".d/"+generator.Dropin] = dropin
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

// text returns the assignments of a unit that a trial has, split into those that are read before temper's drop-in and
// those that are read after it. Drop-ins for all units of the type are left out, since systemd applies them to the
// trial too.
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

// expand fills in the names of a unit that are not the clone's. What it shares with its original is left to systemd: an
// instance can have backslashes, which mean one thing in a command line and another in a path.
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

// own returns what becomes of an assignment in a trial, and whether it is part of it.
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

// awaitBusName is the command that comes before those of ExecStartPost= where systemd does not wait for the name on the
// bus: they are run once it is there.
func (c Clone) awaitBusName() []unit.Assignment {
	name := BusName(c.Unit)
	if after, _ := c.Unit.Last("Service", "ExecStartPost"); !c.SharesBusName || name == "" || after.Value == "" {
		return nil
	}
	wait := fmt.Sprintf("+/bin/sh -c 'until busctl status %s >/dev/null 2>&1; do sleep 0.02; done'", name)
	return []unit.Assignment{{Section: "Service", Name: "ExecStartPost", Value: wait}}
}

// foreign reports whether a unit is none that a trial can depend on: it would start the original, or never appear.
func (c Clone) foreign(name string) bool {
	return slices.Contains(c.Activation.Starters, name) || c.NoDevices && unit.Type(name) == "device"
}

// end is what a trial's service has whatever its unit says.
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
		add("Unit", "CollectMode", "inactive") // what failed stays to be seen
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

// restart is the Restart= of a trial: a service that ends well and is to be started again is; one that fails has
// failed.
func restart(u *unit.Unit) string {
	a, _ := u.Last("Service", "Restart")
	if a.Value == "always" || a.Value == "on-success" {
		return "on-success"
	}
	return "no"
}

// userName is what systemd takes for a user in its strict mode; valid_user_group_name() in user-util.c.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,30}$`)

// dynamicUser is the name that systemd makes up for the user of a unit with DynamicUser= and no User=: that of the
// unit, which is not the trial's. "" where it makes up none, or hashes a name that no user can have.
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

// IsDynamic reports whether systemd makes up a user for a unit.
func IsDynamic(u *unit.Unit) bool {
	a, _ := u.Last("Service", "DynamicUser")
	yes, _ := unit.Bool(a.Value)
	return yes
}

// socketEnd makes a socket's clone start the trial's service and hand over its descriptors by the name that they have.
func (c Clone) socketEnd(socket *unit.Unit, service string) []unit.Assignment {
	if c.ForEachConnection() {
		return nil // by its name, and with a name for each connection
	}
	end := []unit.Assignment{{Section: "Socket", Name: "Service", Value: service}}
	if name, _ := socket.Last("Socket", "FileDescriptorName"); name.Value == "" {
		id := strings.ReplaceAll(socket.ID, "%", "%%")
		end = append(end, unit.Assignment{Section: "Socket", Name: "FileDescriptorName", Value: id})
	}
	return end
}
