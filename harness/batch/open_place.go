package batch

import (
	"context"
	"maps"
	"time"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/systemd"
)

// Where trials run.
const (
	// the host while this machine boots, when units are tried before their first start; else a container
	Auto      = "auto"
	Host      = "host"
	Container = "container"
)

// An openedPlace is a place for the units, as long as none of them has changed it.
type openedPlace struct {
	*place.Place
	opened      time.Time
	kernelState map[string]string // at that time, as the others
	manager     map[string]string
	files       map[string]place.FileState
}

// asOpened reports whether a unit finds the place as the first one did: it still runs, and no unit before has left
// anything in it, such as what its setup made, or a drop-in for the next. There is only one host, which is always used
// again.
//
// Limits: a unit that was root there can have changed PID 1 itself, or left a process in the control group of another
// unit that runs. Only a place of its own, as with one unit in each batch, is sure to hold nothing of that.
func (p openedPlace) asOpened(ctx context.Context) bool {
	if p.Err() != nil || !p.Bus().Connected() {
		return false
	}
	if p.Kind() == Host {
		return true
	}
	changed, err := p.ChangedSince(p.opened)
	if err != nil || len(changed) > 0 {
		return false
	}
	now, err := p.KernelState()
	if err != nil || !maps.Equal(now, p.kernelState) {
		return false
	}
	if more, err := appended(p.Place, p.files); err != nil || more {
		return false
	}
	return p.managerAsOpened(ctx)
}

// managerAsOpened waits a moment for PID 1, which forgets the units of a trial some time after they have ended.
func (p openedPlace) managerAsOpened(ctx context.Context) bool {
	for begin := time.Now(); time.Since(begin) < forgetting; {
		now, err := managerState(ctx, p.Place)
		if err != nil {
			return false
		}
		if maps.Equal(now, p.manager) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return false
}

const forgetting = 3 * time.Second

// openPlace opens a place for the units.
func (o Options) openPlace(ctx context.Context) (openedPlace, error) {
	where, err := o.findPlace(ctx)
	if err != nil || where.Kind() == Host {
		return openedPlace{Place: where}, err
	}
	p := openedPlace{Place: where}
	p.kernelState, err = where.KernelState()
	if err == nil {
		p.files, err = where.FileStates()
	}
	if err == nil {
		p.manager, err = managerState(ctx, where)
	}
	if err != nil {
		where.Close()
		return openedPlace{}, err
	}
	p.opened = time.Now()
	return p, nil
}

func (o Options) findPlace(ctx context.Context) (*place.Place, error) {
	switch {
	case o.Place == Host:
		return place.Host(ctx)
	case o.Place == Auto && o.Root.IsHost() && systemd.Booted():
		if here, err := place.Host(ctx); err == nil {
			if harness.Starting(ctx, here) {
				return here, nil
			}
			here.Close()
		}
	}
	return o.container(ctx)
}

// container boots a copy of the root.
func (o Options) container(ctx context.Context) (*place.Place, error) {
	wanted := place.Options{Trusted: o.Trusted}
	if !o.Root.IsHost() {
		wanted.Image = o.Root.Dir()
	}
	return place.Container(ctx, wanted)
}
