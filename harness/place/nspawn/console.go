package nspawn

import (
	"io"
	"regexp"
	"strings"
	"sync"
)

// console keeps the end of what a container writes on its console, and passes everything on.
type console struct {
	mu   sync.Mutex
	tail []byte
	copy io.Writer
}

const consoleBytes = 8 << 10

// Write never fails: a log that is full must not end the container.
func (c *console) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail = append(c.tail, data...)
	if extra := len(c.tail) - consoleBytes; extra > 0 {
		c.tail = append(c.tail[:0], c.tail[extra:]...)
	}
	if c.copy != nil {
		_, _ = c.copy.Write(data)
	}
	return len(data), nil
}

// controls are terminal sequences and control characters.
var controls = regexp.MustCompile(`\x1b(\[[0-9;?]*[a-zA-Z]|\][^\a\x1b]*(\a|\x1b\\)?|.)|[\x00-\x08\x0b-\x1f\x7f]`)

// lines returns the last n lines without terminal control sequences, or "" if nothing was written.
func (c *console) lines(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var kept []string
	for line := range strings.SplitSeq(controls.ReplaceAllString(strings.ToValidUTF8(string(c.tail), ""), ""), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-n):], "\n")
}
