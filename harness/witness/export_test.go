package witness

// StartSized is Start with a ring buffer of size bytes, so that a test can overflow it.
var StartSized = start
