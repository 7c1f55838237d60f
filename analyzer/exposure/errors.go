package exposure

import "errors"

// Why a unit has no exposure.
var (
	// ErrRefused says that systemd does not load the unit; the error tells where and why.
	ErrRefused = errors.New("systemd refuses the unit")
	// ErrMasked says that nothing can start the unit.
	ErrMasked = errors.New("the unit is masked")
	// ErrNotService says that the unit is of another type.
	ErrNotService = errors.New("only services are scored")
)
