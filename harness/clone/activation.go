package clone

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
)

// An Activation is the units that start a service.
type Activation struct {
	Sockets  []*unit.Unit // the sockets that a trial gets copies of
	Starters []string     // names of all such units: sockets, timers, paths
}

// FindActivation finds the units that start a unit. It returns an error for a template unless a socket starts an
// instance of it for each connection.
func FindActivation(loader *unit.Loader, u *unit.Unit) (Activation, error) {
	var a Activation
	own := append([]string{u.ID, u.Template()}, u.Aliases...)
	for _, kind := range []string{"socket", "timer", "path"} {
		names, _ := loader.List("." + kind) // errors in other units do not matter here
		for _, name := range names {
			starter, err := loader.Load(name)
			if err != nil || starter.Masked || !slices.Contains(own, started(starter)) {
				continue
			}
			a.Starters = append(a.Starters, name)
			if kind == "socket" && name == starter.ID && (accepts(starter) || belongs(loader.Root, u, starter)) {
				a.Sockets = append(a.Sockets, starter)
			}
		}
	}
	if unit.IsTemplate(u.ID) && !slices.ContainsFunc(a.Sockets, accepts) {
		return a, hint.With(fmt.Errorf("%s: is a template, which nothing can start", u.ID),
			"name an instance of it: temper prove "+strings.Replace(u.ID, "@.", "@NAME.", 1))
	}
	if i := slices.IndexFunc(a.Sockets, accepts); i >= 0 {
		a.Sockets = a.Sockets[i : i+1] // one socket for each template
	}
	return a, nil
}

// started is the service that a socket, timer or path unit starts; systemd.socket(5), systemd.timer(5),
// systemd.path(5).
func started(u *unit.Unit) string {
	stem := strings.TrimSuffix(u.ID, "."+unit.Type(u.ID))
	for section, name := range map[string]string{"Socket": "Service", "Timer": "Unit", "Path": "Unit"} {
		if a, ok := u.Last(section, name); ok && a.Value != "" {
			return u.ExpandNames(a.Value)
		}
	}
	if unit.Type(u.ID) == "socket" && accepts(u) {
		return stem + "@.service"
	}
	return stem + ".service"
}

// belongs reports whether a service is started by a socket on this system: the service names the socket, the socket is
// enabled, or nothing else starts the service. A socket that is installed but not used, such as Debian's ssh.socket,
// does not belong to the service.
func belongs(root host.Root, service, socket *unit.Unit) bool {
	names := append([]string{socket.ID}, socket.Aliases...)
	for _, dependency := range []struct{ section, name string }{
		{"Service", "Sockets"}, {"Unit", "Requires"}, {"Unit", "Requisite"}, {"Unit", "Wants"}, {"Unit", "BindsTo"},
	} {
		for _, a := range service.All(dependency.section, dependency.name) {
			for _, word := range strings.Fields(service.ExpandNames(a.Value)) {
				if slices.Contains(names, word) {
					return true
				}
			}
		}
	}
	installed := slices.ContainsFunc(service.Assignments, func(a unit.Assignment) bool {
		return a.Section == "Install" || a.Section == "Service" && a.Name == "BusName"
	})
	return !installed || enabled(root, names)
}

// enabled reports whether a link in some .wants or .requires directory pulls in a unit of one of the names.
func enabled(root host.Root, names []string) bool {
	for _, dir := range unit.DefaultPath {
		entries, _ := root.ReadDir(dir) // a missing directory enables nothing
		for _, e := range entries {
			if ext := path.Ext(e.Name()); ext != ".wants" && ext != ".requires" {
				continue
			}
			for _, name := range names {
				if _, err := root.Lstat(path.Join(dir, e.Name(), name)); err == nil {
					return true
				}
			}
		}
	}
	return false
}

func accepts(socket *unit.Unit) bool {
	a, _ := socket.Last("Socket", "Accept")
	yes, ok := unit.Bool(a.Value)
	return ok && yes
}
