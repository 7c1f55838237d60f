package trial

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
	lateDropin  = "99-service.conf"
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

// clone is what a trial of one unit is made of.
type clone struct {
	unit          *unit.Unit
	sockets       []*unit.Unit // that start the unit: cloned with it
	starters      []string     // names of all units that would start the original
	noDevices     bool         // the place has no devices to wait for
	requires      string       // as Launcher has it
	sharesBusName bool         // as Launcher has it
}

func (s Launcher) clone() clone {
	return clone{
		unit: s.Unit, sockets: s.Activation.Sockets, starters: s.Activation.Starters,
		noDevices: s.Place.Kind() != "host", requires: s.Requires, sharesBusName: s.SharesBusName,
	}
}

// busName is the name on the bus with which a unit is ready, "" if there is none; systemd.service(5).
func busName(u *unit.Unit) string {
	name, _ := u.Last("Service", "BusName")
	kind, _ := u.Last("Service", "Type")
	if name.Value == "" || kind.Value != "" && kind.Value != "dbus" {
		return ""
	}
	full, _ := u.Expand(name.Value) // what cannot be expanded systemd does not take either
	return full
}

// forEachConnection reports whether the unit is the template of a service for each connection.
func (c clone) forEachConnection() bool { return len(c.sockets) > 0 && accepts(c.sockets[0]) }

// service is the name of the clone: that of a transient unit, or of a template. An instance keeps its instance.
func (c clone) service(stem string) string {
	if c.forEachConnection() {
		return stem + "@.service"
	}
	if unit.IsInstance(c.unit.ID) {
		return stem + "@" + unit.Instance(c.unit.ID) + ".service"
	}
	return stem + ".service"
}

// socketNames are the names of the clones of the sockets.
func (c clone) socketNames(stem string) []string {
	var names []string
	for i := range c.sockets {
		if i > 0 {
			stem = fmt.Sprintf("%s-s%d", stem, i)
		}
		names = append(names, stem+".socket")
	}
	return names
}

// files returns the files below [UnitDir], by name, that make transient units of these names run as the unit and its
// sockets do under temper's drop-in: their text in the order in which systemd reads it, their own names filled in.
func (c clone) files(stem, dropin string) map[string]string {
	service := c.service(stem)
	early, late := c.text(c.unit, "Service")
	early = append(c.awaitBusName(), early...)
	late = append(late, c.end(dropin)...)
	files := map[string]string{
		service + ".d/" + EarlyDropin: unit.Text(early),
		service + ".d/" + lateDropin:  unit.Text(late),
	}
	if dropin != "" {
		files[service+".d/"+generator.Dropin] = dropin
	}
	if c.forEachConnection() {
		files[service] = "# The template of a trial; its text is in the drop-ins.\n"
	}
	for i, name := range c.socketNames(stem) {
		early, late := c.text(c.sockets[i], "Socket")
		files[name+".d/"+EarlyDropin] = unit.Text(slices.Concat(early, late, c.socketEnd(c.sockets[i], service)))
	}
	return files
}

// text returns the assignments of a unit that a trial has, split into those that are read before temper's drop-in and
// those that are read after it. Drop-ins for all units of the type are left out, since systemd applies them to the
// trial too.
func (c clone) text(u *unit.Unit, section string) (early, late []unit.Assignment) {
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
func (c clone) expand(u *unit.Unit, value string) string {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		specifier := value[i : i+2]
		if i++; strings.Contains("iIf", specifier[1:]) && unit.Instance(u.ID) != "" && u == c.unit {
			b.WriteString(specifier)
		} else {
			b.WriteString(u.ExpandNames(specifier))
		}
	}
	return b.String()
}

// own returns what becomes of an assignment in a trial, and whether it is part of it.
func (c clone) own(a unit.Assignment, section string) (unit.Assignment, bool) {
	if a.Section == section {
		return a, !slices.Contains(dropped, a.Name) && !(c.sharesBusName && a.Name == "BusName")
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
func (c clone) awaitBusName() []unit.Assignment {
	name := busName(c.unit)
	if after, _ := c.unit.Last("Service", "ExecStartPost"); !c.sharesBusName || name == "" || after.Value == "" {
		return nil
	}
	wait := fmt.Sprintf("+/bin/sh -c 'until busctl status %s >/dev/null 2>&1; do sleep 0.02; done'", name)
	return []unit.Assignment{{Section: "Service", Name: "ExecStartPost", Value: wait}}
}

// foreign reports whether a unit is none that a trial can depend on: it would start the original, or never appear.
func (c clone) foreign(name string) bool {
	return slices.Contains(c.starters, name) || c.noDevices && unit.Type(name) == "device"
}

// end is what a trial's service has whatever its unit says.
func (c clone) end(dropin string) []unit.Assignment {
	var end []unit.Assignment
	add := func(section, name, value string) {
		end = append(end, unit.Assignment{Section: section, Name: name, Value: value})
	}
	add("Unit", "StartLimitIntervalSec", "0")
	if c.requires != "" {
		add("Unit", "BindsTo", c.requires)
		add("Unit", "After", c.requires)
	}
	if c.forEachConnection() {
		add("Unit", "CollectMode", "inactive") // what failed stays to be seen
	}
	if c.sharesBusName && busName(c.unit) != "" {
		add("Service", "Type", "exec")
	}
	add("Service", "Restart", restart(c.unit))
	if user := dynamicUser(c.unit, dropin); user != "" {
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
func (c clone) socketEnd(socket *unit.Unit, service string) []unit.Assignment {
	if c.forEachConnection() {
		return nil // by its name, and with a name for each connection
	}
	end := []unit.Assignment{{Section: "Socket", Name: "Service", Value: service}}
	if name, _ := socket.Last("Socket", "FileDescriptorName"); name.Value == "" {
		id := strings.ReplaceAll(socket.ID, "%", "%%")
		end = append(end, unit.Assignment{Section: "Socket", Name: "FileDescriptorName", Value: id})
	}
	return end
}
