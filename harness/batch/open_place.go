package batch

import (
	"context"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/systemd"
)

// Where trials run.
const (
	Auto      = "auto" // the host while this machine boots, when units are tried before their first start; else a container
	Host      = "host"
	Container = "container"
)

// openPlace opens a place of a kind for the units of a root.
func openPlace(ctx context.Context, kind string, root host.Root) (*place.Place, error) {
	switch {
	case kind == Host:
		return place.Host(ctx)
	case kind == Auto && root.IsHost() && systemd.Booted():
		if here, err := place.Host(ctx); err == nil {
			if harness.Starting(ctx, here) {
				return here, nil
			}
			here.Close()
		}
	}
	return container(ctx, root)
}

// container boots a copy of a root.
func container(ctx context.Context, root host.Root) (*place.Place, error) {
	o := place.Options{}
	if !root.IsHost() {
		o.Image = root.Dir()
	}
	o.Trusted = true
	return place.Container(ctx, o)
}
