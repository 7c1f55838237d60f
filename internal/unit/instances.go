package unit

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Instances returns the instances that a drop-in directory reaches and their template does not share, sorted: one of
// the instance, of its prefix, such as foo-@x.service.d for foo-bar@x.service, or of another name of the template.
// They go by their main name. Those that have a unit file or a link of their own are in [Loader.List].
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

// mainName is the name of an instance of the template that has the file, whichever other name of the template is
// meant; "" if nothing can be loaded by the name.
func (x *index) mainName(name string) string {
	file, err := x.fragment(name)
	if err != nil {
		return ""
	}
	id, _ := x.names(name, path.Clean(file))
	return id
}
