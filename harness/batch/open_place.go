package batch

import (
	"context"

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

// openPlace opens a place for the units.
func (o Options) openPlace(ctx context.Context) (*place.Place, error) {
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
