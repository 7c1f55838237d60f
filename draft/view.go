package draft

import (
	"slices"

	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
)

// foldView leaves out of the lists of exceptions what another one of them gives already: a path that the service sees
// and can write is in neither of the lists of those that it sees or can write.
func (s *sketch) foldView() {
	cover, _ := directive.Lookup("TemporaryFileSystem")
	list := cover.Showing(refusal.PathReadOnly)
	var shown []string
	covers := false
	for _, x := range s.settings {
		switch x.directive {
		case cover:
			covers = x.values != nil
		case list:
			shown = list.Grants(x.values, s.version)
		}
	}
	if !covers {
		return
	}
	s.unseen = append(s.unseen,
		"what it reads at other times, such as after a change of its configuration: what is not shown, is not there")
	for _, x := range s.settings {
		switch {
		case x.directive == list:
			x.values = withoutPaths(x, nil, s.version)
		case x.directive == cover.Showing(refusal.PathHidden), x.directive.Lifts == refusal.PathReadOnly:
			if x.values = withoutPaths(x, shown, s.version); x.values == nil {
				x.reasons = nil
			}
		}
	}
}

// withoutPaths returns the values of a list without the paths that are below others of it or of another list.
func withoutPaths(x *setting, others []string, version int) []string {
	granted := x.directive.Grants(x.values, version)
	var gone []string
	for _, p := range granted {
		isAbove := func(o string) bool { return host.Below(o, p) && o != p }
		isGiven := func(o string) bool { return host.Below(o, p) }
		if slices.ContainsFunc(granted, isAbove) || slices.ContainsFunc(others, isGiven) {
			gone = append(gone, p)
		}
	}
	if len(gone) == 0 {
		return x.values
	}
	return x.directive.Without(x.values, gone, version)
}

// beyond returns a setting with those of its values alone that a list lacks; nil if there are none.
func (s *sketch) beyond(x *setting, had []string) *setting {
	given := x.directive.Grants(had, s.version)
	lacks := slices.DeleteFunc(x.directive.Grants(x.values, s.version), func(p string) bool {
		return !slices.Contains(given, p)
	})
	rest := x.directive.Without(x.values, lacks, s.version)
	if len(rest) == 0 {
		return nil
	}
	return &setting{directive: x.directive, values: rest, reasons: x.reasons}
}
