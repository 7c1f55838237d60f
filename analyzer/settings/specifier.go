package settings

import (
	"errors"
	"fmt"
	"strings"

	"temper/internal/unit"
)

// newSpecifiers are those that came after 247, with the first version that has them. See systemd.unit(5).
var newSpecifiers = map[byte]int{'y': 249, 'Y': 249, 'd': 250, 'q': 250, 'D': 255}

// expandAll replaces the specifiers in a value as a systemd version does. One that only a running system knows stays as it
// is. The error tells of one that does not exist, or has no value, for which systemd refuses what it stands in.
func expandAll(u *unit.Unit, value string, version int) (string, error) {
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		i++
		if since := newSpecifiers[value[i]]; version < since {
			return "", fmt.Errorf("specifier %%%c needs systemd %d, this is %d", value[i], since, version)
		}
		spec := value[i-1 : i+1]
		text, err := u.Expand(spec)
		if err != nil && !errors.Is(err, unit.ErrRuntime) {
			return "", err
		}
		if err != nil {
			text = spec
		}
		b.WriteString(text)
	}
	return b.String(), nil
}
