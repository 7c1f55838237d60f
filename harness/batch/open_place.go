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
	kernelState map[string]string // at that time
}

// asOpened reports whether a unit finds the place as the first one did: it still runs, and no unit before has left
// anything in it, such as what its setup made. There is only one host, which is always used again.
func (p openedPlace) asOpened() bool {
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
	return err == nil && maps.Equal(now, p.kernelState)
}

// openPlace opens a place for the units.
func (o Options) openPlace(ctx context.Context) (openedPlace, error) {
	where, err := o.findPlace(ctx)
	if err != nil || where.Kind() == Host {
		return openedPlace{Place: where}, err
	}
	state, err := where.KernelState()
	if err != nil {
		where.Close()
		return openedPlace{}, err
	}
	return openedPlace{where, time.Now(), state}, nil
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
