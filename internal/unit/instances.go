package unit

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Instances returns the main names of instances that have a drop-in directory which their template does not have,
// sorted: a directory of the instance, of its prefix, such as foo-@x.service.d for foo-bar@x.service, or of another
// name of the template. [Loader.List] lists the instances that have their own unit file or link.
func (l *Loader) Instances() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.whole()
	found := map[string]bool{}
	for dir := range x.dropins {
		of := strings.TrimSuffix(dir, ".d")
		if !IsInstance(of) {
			continue
		}
		for template := range x.units {
			name := Instantiate(template, Instance(of))
			if name == "" || !slices.Contains(dropinNames(name), dir) {
				continue
			}
			if main := x.mainName(name); main != "" && !x.has(main) {
				found[main] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// mainName is the main name of an instance, also if name is an instance of an alias of the template; "" if no unit can
// be loaded by the name.
func (x *index) mainName(name string) string {
	file, err := x.fragment(name)
	if err != nil {
		return ""
	}
	id, _ := x.names(name, path.Clean(file))
	return id
}
