package nspawn

import (
	"bytes"
	"testing"
)

func TestConsoleLines(t *testing.T) {
	var log bytes.Buffer
	c := console{copy: &log}
	for range 1000 {
		_, _ = c.Write([]byte("\x1b[0;32mWelcome\x1b[0m\r\n"))
	}
	_, _ = c.Write([]byte("\r\n\x1b]0;title\a  Schlüssel\tfehlt\xff \r\n[\x1b[0;1;31mFAILED\x1b[0m] x"))
	if got, want := c.lines(3), "Welcome\nSchlüssel\tfehlt\n[FAILED] x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(c.tail) > consoleBytes || log.Len() < 15000 {
		t.Errorf("%d bytes kept, %d passed on", len(c.tail), log.Len())
	}
	if got := new(console).lines(3); got != "" {
		t.Errorf("nothing written, but %q", got)
	}
}
