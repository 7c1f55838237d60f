package plain

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"nginx: naïve, 日本語 \"\\x\"": "nginx: naïve, 日本語 \"\\x\"",
		"a\nb\r\tc":                 `a\nb\r\tc`,
		"\x1b[2J\x07\x7f\x00":       `\x1b[2J\a\x7f\x00`,
		"\u009b31m":                 `\u009b31m`,
		"\u202efdp.exe\u2066":       `\u202efdp.exe\u2066`,
		"\u2028\u00a0\ufeff":        `\u2028\u00a0\ufeff`,
		"\xff\xc3 \ufffd":           "\\xff\\xc3 \ufffd",
		"\U000e0001":                `\U000e0001`,
	} {
		if got := Line(text); got != want {
			t.Errorf("Line(%q) = %q, want %q", text, got, want)
		}
		if got := Line(Line(text)); got != want {
			t.Errorf("Line(%q) is not plain", want)
		}
	}
}

// TestArgs: texts become plain, whatever has them; numbers, and what temper itself wrote, stay.
func TestArgs(t *testing.T) {
	args := []any{"a\n", errors.New("b\n"), time.Second, 7, Ours("\x1b[31m")}
	Args(args)
	if got, want := fmt.Sprintf("%s %v %d %d %s", args...), "a\\n b\\n 1000000000 7 \x1b[31m"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
