package place

import (
	"context"
	"slices"
	"sync"

	"temper/harness/place/hostcopy"
)

// CopyOver mounts writable copies, in memory, over directories of the host, and returns how to take them away; see
// [hostcopy.Cover]. In a container it does nothing: that is thrown away whole.
func (p *Place) CopyOver(ctx context.Context, d hostcopy.Directories) (remove func() error, err error) {
	if p.box != nil || len(d.Over) == 0 {
		return func() error { return nil }, nil
	}
	copies, err := hostcopy.Cover(ctx, p.leader, d)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copies = append(p.copies, copies)
	return sync.OnceValue(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.copies = slices.DeleteFunc(p.copies, func(c *hostcopy.Copies) bool { return c == copies })
		return copies.Remove()
	}), nil
}

// original reports whether a path of the host exists without the copies that are mounted now.
func (p *Place) original(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.copies {
		if exists, known := c.Original(name); known {
			return exists
		}
	}
	return true
}
