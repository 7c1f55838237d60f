package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"temper/internal/systemd"
	"temper/internal/verdict"
)

// prove proves a unit in a place, and acts on the result.
func (g *Guard) prove(ctx context.Context, h hardening, last run) (bool, error) {
	name := h.unit.ID
	release, err := g.notes.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	proof, err := g.prover.Prove(ctx, name)
	if err != nil {
		return false, err
	}
	switch proof {
	case Undecided:
		g.alarm("%s does not start hardened (%s), and a proof in a place could not decide why: its hardening stays. "+
			"Read systemctl status %s, then try temper prove %s", name, last.describeEnd(), name, name)
		return false, nil
	case NoPlace:
		return g.try(ctx, h, last)
	}
	return g.applyProof(ctx, h, last)
}

// applyProof applies the verdict that a proof has stored: if its drop-in differs, the unit is started with it.
func (g *Guard) applyProof(ctx context.Context, h hardening, last run) (bool, error) {
	name := h.unit.ID
	if err := g.reload.Reload(ctx); err != nil {
		return false, err
	}
	now, ok, err := g.readHardening(ctx, name)
	if err != nil {
		return false, err
	}
	if ok && now.dropin == h.dropin {
		g.alarm("%s does not start hardened (%s), and works hardened in a place: its hardening is not at fault and "+
			"stays. "+
			"Read systemctl status %s; temper revoke %s gives its vendor's settings back",
			name, last.describeEnd(), name, name)
		return false, g.notes.put(cleared, h)
	}
	down, err := g.down(ctx, name)
	if err != nil || !down {
		return true, err
	}
	if err := g.start(ctx, name, h.settle()); err != nil {
		g.alarm("%s does not start with what a proof in a place has left of its hardening either: %v", name, err)
		return true, nil
	}
	g.alarm("%s did not start hardened (%s). A proof in a place has found why, and it runs with what that has left: "+
		"temper show %s", name, last.describeEnd(), name)
	return true, nil
}

// hardenedTries is how often the guard starts a unit hardened where this machine cannot run a place.
const hardenedTries = 2

// try starts the unit itself: hardened, and if that fails each time, with its vendor's settings.
func (g *Guard) try(ctx context.Context, h hardening, last run) (bool, error) {
	name := h.unit.ID
	for range hardenedTries {
		down, err := g.down(ctx, name)
		if err != nil || !down {
			return false, err
		}
		if err = g.start(ctx, name, h.settle()); err == nil {
			g.say("%s starts hardened when it is tried again: its hardening stays", name)
			return false, g.notes.put(started, h)
		}
		if ctx.Err() != nil {
			return false, err
		}
	}
	return g.removeHardening(ctx, h, last)
}

// removeHardeningAndProve gives a unit its vendor's settings at once, and starts a proof in the background. From the
// next start the unit gets the hardening that the proof has found to work.
func (g *Guard) removeHardeningAndProve(ctx context.Context, h hardening, last run) (bool, error) {
	removed, err := g.removeHardening(ctx, h, last)
	if err != nil || !removed {
		return removed, err
	}
	return true, g.prover.Begin(ctx, h.unit.ID)
}

// removeHardening starts a unit that is down with its vendor's settings. If the unit starts, its verdict becomes
// broken; if not, its hardening is back.
func (g *Guard) removeHardening(ctx context.Context, h hardening, last run) (bool, error) {
	name := h.unit.ID
	down, err := g.down(ctx, name)
	if err != nil || !down {
		return false, err
	}
	log, err := g.journal.service(ctx, last.id)
	if err != nil {
		return false, err
	}
	if err := g.masks.put(name); err != nil {
		return false, err
	}
	defer g.masks.remove(name)
	failure := g.reload.Reload(ctx)
	if failure == nil {
		if down, err = g.down(ctx, name); err == nil && !down {
			return false, g.unmask(ctx, name)
		}
		failure = err
	}
	if failure == nil {
		failure = g.start(ctx, name, h.settle())
	}
	var stored error
	if failure == nil {
		stored = g.hardenings.putBroken(h, last, log)
	}
	if err := errors.Join(stored, g.unmask(ctx, name)); err != nil {
		return failure == nil && stored == nil, err
	}
	if failure != nil {
		g.alarm("%s does not start with its vendor's settings either (%v): its hardening is not to blame and is back",
			name, failure)
		return false, ctx.Err()
	}
	g.alarm("%s does not start hardened (%s) and does start with its vendor's settings, which it keeps. "+
		"Its verdict is %s; when the cause is gone: temper prove %s", name, last.describeEnd(), verdict.Broken, name)
	return true, nil
}

// unmask removes the mask of a unit, also after ctx has ended.
func (g *Guard) unmask(ctx context.Context, name string) error {
	_, err := g.masks.remove(name)
	return errors.Join(err, g.reload.Reload(context.WithoutCancel(ctx)))
}

// down reports whether a unit is still down, and logs a message if it is not.
func (g *Guard) down(ctx context.Context, name string) (bool, error) {
	s, err := g.manager.Service(ctx, name)
	if err != nil || isDown(s) {
		return err == nil, err
	}
	g.say("%s runs meanwhile: it is left alone", name)
	return false, nil
}

// startLimit is how long a unit may take to start, not counting the time for which it must stay up.
const startLimit = 2 * time.Minute

// start starts a unit that is down, and returns an error unless the unit stays up for the time settle or ends without a
// failure. Where systemd is about to restart the unit, start only waits for that.
func (g *Guard) start(ctx context.Context, name string, settle time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit+settle)
	defer cancel()
	before, err := g.manager.Service(ctx, name)
	if err != nil {
		return err
	}
	if !waitsForRestart(before) {
		if err := g.manager.ResetFailed(ctx, name); err != nil && !errors.Is(err, systemd.ErrNotLoaded) {
			return err
		}
		before.Restarts = 0
		result, err := g.manager.StartUnit(ctx, name)
		if err != nil {
			return err
		}
		if result != systemd.Done {
			return fmt.Errorf("its start job ended with %q", result)
		}
	}
	for {
		s, err := g.manager.Service(ctx, name)
		if err != nil {
			return err
		}
		if up, err := cameUp(before, s, settle, time.Now()); up || err != nil {
			return err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// cameUp reports whether a started unit has stayed up for long enough, or has ended without a failure. It returns an
// error if the unit has failed. before is the state before the start.
func cameUp(before, s systemd.Service, settle time.Duration, now time.Time) (bool, error) {
	since := time.UnixMicro(int64(systemd.Get[uint64](s.Properties, "ActiveEnterTimestamp")))
	switch {
	case s.Active == "failed", waitsForRestart(s) && !waitsForRestart(before), s.Restarts > before.Restarts+1:
		return false, errors.New("it has failed")
	case s.Active == "inactive":
		return true, nil
	}
	return s.Active == "active" && now.Sub(since) >= settle, nil
}
