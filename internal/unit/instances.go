package unit

import (
	"slices"
	"strings"
)

// Instances returns the instances that have a drop-in directory of their own and whose template is in the load path, sorted.
// Those that have a unit file or a link of their own are in [Loader.List].
func (l *Loader) Instances() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.whole()
	var names []string
	for dir := range x.dropins {
		name := strings.TrimSuffix(dir, ".d")
		if IsInstance(name) && !x.has(name) && x.has(Template(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
