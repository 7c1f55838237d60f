package trial

import (
	"context"
	"time"

	"temper/harness/place"
)

// Journal reads the messages that a unit logged.
func Journal(ctx context.Context, where *place.Place, unit string, since time.Time) ([]string, error) {
	entries, err := journal(ctx, where, unit, since)
	var texts []string
	for _, e := range entries {
		texts = append(texts, e.text)
	}
	return texts, err
}
