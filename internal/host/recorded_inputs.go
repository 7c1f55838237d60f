package host

import (
	"maps"
	"slices"
	"sync"

	"temper/internal/ready"
)

// Inputs are what was read through a recording root, each once.
type Inputs struct {
	mu  sync.Mutex
	all map[ready.Input]struct{}
}

// Recording returns r as a root that notes in the inputs everything that is read through it: while all of that stays
// the same, whoever reads it again comes to the same result.
func (r Root) Recording() (Root, *Inputs) {
	r.inputs = &Inputs{all: map[ready.Input]struct{}{}}
	return r, r.inputs
}

// Sorted lists the inputs so far, without those that another one contains.
func (i *Inputs) Sorted() []ready.Input {
	i.mu.Lock()
	defer i.mu.Unlock()
	inputs := slices.SortedFunc(maps.Keys(i.all), ready.Input.Compare)
	return slices.DeleteFunc(inputs, func(input ready.Input) bool {
		_, content := i.all[ready.Input{Kind: ready.File, Path: input.Path}]
		return content && (input.Kind == ready.Stat || input.Kind == ready.Lstat)
	})
}

func (r Root) note(kind ready.Kind, name string) {
	if r.inputs == nil {
		return
	}
	r.inputs.mu.Lock()
	defer r.inputs.mu.Unlock()
	r.inputs.all[ready.Input{Kind: kind, Path: name}] = struct{}{}
}
