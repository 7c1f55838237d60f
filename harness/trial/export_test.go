package trial

import (
	"context"
	"time"

	"temper/internal/journal"
)

// ServiceLog reads the messages that a unit logged.
func ServiceLog(ctx context.Context, where journal.System, unit string, since time.Time) ([]string, error) {
	messages, err := serviceLog(ctx, where, unit, since)
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.text)
	}
	return texts, err
}
