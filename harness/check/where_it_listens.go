package check

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"temper/harness/proc"
	"temper/profiles"
)

// probeWhereItListens is the probe of a check. If the check has placeholders for an address of the service, each
// attempt reads where the service listens now, and asks there until it has a good answer. Each address gets its share
// of the time, so that one where nothing is answered does not use it up.
func probeWhereItListens(c profiles.Check) probe {
	if !c.AsksWhereItListens() {
		return probeOf(c)
	}
	return func(ctx context.Context, env Env) (string, error) {
		listeners, err := listeners(ctx, env)
		if err != nil {
			return "", err
		}
		asked := c.Where(listeners)
		if len(asked) == 0 {
			return "", errors.New("the service listens at no address")
		}
		var first error
		for i, at := range asked {
			seen, err := oneOf(ctx, env, probeOf(at), len(asked)-i)
			if err == nil || didNotRun(err) || ctx.Err() != nil {
				return seen, err
			}
			if first == nil {
				first = err
			}
		}
		return "", first
	}
}

// oneOf makes one of n attempts that share the time until the deadline of ctx.
func oneOf(ctx context.Context, env Env, try probe, n int) (string, error) {
	if deadline, ok := ctx.Deadline(); ok {
		share, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
		defer cancel()
		ctx = share
	}
	return try(ctx, env)
}

// listeners reads at which addresses in the network of the place the service waits for clients.
func listeners(ctx context.Context, env Env) ([]profiles.Listener, error) {
	if env.Service == nil {
		return nil, nil
	}
	pids, err := env.Service.PIDs(ctx)
	if err != nil {
		return nil, err
	}
	all := proc.Machine.Process(env.Place.Leader()).Listeners()
	var list []profiles.Listener
	for _, pid := range pids {
		for _, socket := range proc.Machine.Process(pid).Sockets() {
			network, address, _ := strings.Cut(all[socket], " ")
			if at, err := netip.ParseAddrPort(address); err == nil { // others are in the file system
				list = append(list, profiles.Listener{Network: network, Address: at})
			}
		}
	}
	return list, nil
}
