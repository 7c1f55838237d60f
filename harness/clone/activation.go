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

// An Activation is what starts a service.
type Activation struct {
	Sockets  []*unit.Unit // that a trial has, too
	Starters []string     // names of all units: sockets, timers, paths
}

// FindActivation finds what starts a unit. A template that no socket starts for each connection cannot be tried.
func FindActivation(loader *unit.Loader, u *unit.Unit) (Activation, error) {
	var a Activation
	own := append([]string{u.ID, u.Template()}, u.Aliases...)
	for _, kind := range []string{"socket", "timer", "path"} {
		names, _ := loader.List("." + kind) // what is wrong with other units is no matter here
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

// belongs reports whether a service is started with a socket on this system: it names it, the socket is enabled, or
// nothing else starts the service. A socket that is installed and not used, as Debian's ssh.socket, is no part of a
// service.
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
		entries, _ := root.ReadDir(dir) // one that is not there enables nothing
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
