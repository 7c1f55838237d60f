package harness

import (
	"fmt"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/verdict"
	"temper/profiles"
)

// nameSecrets adds to the reason of each demotion the secrets of other services that it opens to the service.
func nameSecrets(demotions []verdict.Demotion, secrets []profiles.Secret) []verdict.Demotion {
	demotions = slices.Clone(demotions)
	for i, d := range demotions {
		var owners []string
		before, after := hidden(d.Directive, d.From), hidden(d.Directive, d.To)
		for _, s := range secrets {
			if slices.Contains(before, s.Path) && !slices.Contains(after, s.Path) {
				owners = append(owners, fmt.Sprintf("%s, a secret of %s", s.Path, s.Profile))
			}
		}
		if len(owners) > 0 {
			demotions[i].Reason += "; it reads " + strings.Join(owners, ", and ")
		}
	}
	return demotions
}

// hidden lists the paths that the assignments of a directive hide. The lines are those of a demotion.
func hidden(name, lines string) []string {
	d, ok := directive.Lookup(name)
	if !ok || lines == verdict.Off {
		return nil
	}
	var paths []string
	for _, e := range d.PathsOf(strings.Split(lines, "\n")) {
		if e.Mode == directive.Hidden {
			paths = append(paths, e.Path)
		}
	}
	return paths
}
