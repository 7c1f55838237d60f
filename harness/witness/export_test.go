package witness

// StartSized is Start with a ring buffer of size bytes, so that a test can overflow it.
var StartSized = start

// RunUnknown attaches a program to a tracepoint that no kernel has.
func RunUnknown() error { return (&Witness{}).run("temper_none", program("temper_none", nil)) }
