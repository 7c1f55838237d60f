package witness

import (
	"io"
	"os"
)

// StartSized is Start with a ring buffer of size bytes, so that a test can overflow it.
var StartSized = start

// RunUnknown attaches a program to a tracepoint that no kernel has.
func RunUnknown() error { return (&programs{}).run("temper_none", program("temper_none", nil)) }

// EventSize is how long an event is.
const EventSize = eventSize

// Collect makes a record of events of the cgroup with the id 7.
func Collect(events [][]byte) Record {
	c := &cgroup{name: "watched", children: map[uint64]string{7: "watched"}, id: 1}
	c.parent, _ = os.Open(os.DevNull) // no directory: a cgroup that is not known is not found
	defer c.parent.Close()
	n := newCollector(c)
	n.knowsLacked = true
	for _, e := range events {
		n.add(e)
	}
	return n.record()
}

// AttachNothing attaches a program that does nothing to the tracepoint of a monitor: what it costs, no program saves.
func AttachNothing() (io.Closer, error) { return attach("sys_exit", program("temper_nothing", nil)) }
