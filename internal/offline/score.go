package offline

import (
	"temper/analyzer/exposure"
	"temper/internal/interpret"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// Score reads a unit as systemd loads it and scores it. The error wraps [exposure.ErrRefused], [exposure.ErrMasked] or
// [exposure.ErrNotService]; any other error is about the options.
func Score(u *unit.Unit, o exposure.Options) (exposure.Report, error) {
	reading, err := interpret.Read(u, o)
	if err != nil {
		return exposure.Report{}, err
	}
	r, err := exposure.Assess(reading.Service, o)
	r.Ignored = reading.Ignored()
	return r, err
}

// Sum is [Score] without the rows and the ignored assignments: it computes the exposure and its level in half the time.
func Sum(u *unit.Unit, o exposure.Options) (exposure.Report, error) {
	reading, err := interpret.Read(u, o)
	if err != nil {
		return exposure.Report{}, err
	}
	return exposure.Sum(reading.Service, o)
}

// Exposure scores a unit without and with another drop-in of this name and text.
func Exposure(u *unit.Unit, dropin, text string, version int) (verdict.Exposure, error) {
	o := exposure.Options{Version: version}
	before, err := Sum(u, o)
	if err != nil {
		return verdict.Exposure{}, err
	}
	hardened, err := u.With(dropin, text)
	if err != nil {
		return verdict.Exposure{}, err
	}
	after, err := Sum(hardened, o)
	return verdict.Exposure{Before: float64(before.Exposure) / 10, After: float64(after.Exposure) / 10}, err
}
