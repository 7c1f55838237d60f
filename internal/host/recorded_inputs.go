package host

import (
	"maps"
	"slices"
	"sync"

	"temper/internal/ready"
)

// Inputs are all inputs that were read through a recording root, each once.
type Inputs struct {
	mu  sync.Mutex
	all map[ready.Input]struct{}
}

// Recording returns a root like r that records everything that is read through it. As long as all inputs stay the same,
// reading them again gives the same result.
func (r Root) Recording() (Root, *Inputs) {
	r.inputs = &Inputs{all: map[ready.Input]struct{}{}}
	return r, r.inputs
}

// Sorted lists the inputs recorded so far, without those that another input contains.
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
