package exposure

import "errors"

// The reasons why a unit has no exposure.
var (
	// ErrRefused says that systemd does not load the unit; the error says where and why.
	ErrRefused = errors.New("systemd refuses the unit")
	// ErrMasked says that nothing can start the unit.
	ErrMasked = errors.New("the unit is masked")
	// ErrNotService says that the unit is not a service.
	ErrNotService = errors.New("only services are scored")
)
