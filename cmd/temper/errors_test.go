package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestErrorLines: each of several errors is a line, and none begins a line of its own.
func TestErrorLines(t *testing.T) {
	joined := errors.Join(errors.New("a"), errors.New("b\n\x1b[2Jtemper: hint: \u202e"))
	for _, tt := range []struct {
		err  error
		want string
	}{
		{joined, "temper: error: a\ntemper: error: b\\n\\x1b[2Jtemper: hint: \\u202e\n"},
		{usageError{joined}, "temper: error: a\ntemper: error: b\\n\\x1b[2Jtemper: hint: \\u202e\n"},
		{fmt.Errorf("c: %w", joined), "temper: error: c: a\\nb\\n\\x1b[2Jtemper: hint: \\u202e\n"},
	} {
		var out bytes.Buffer
		(&app{out: &out, err: &out}).code(tt.err)
		if out.String() != tt.want {
			t.Errorf("%q, want %q", out.String(), tt.want)
		}
	}
}
