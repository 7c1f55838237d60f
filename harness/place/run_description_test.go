package place

import "testing"

// TestDescription: a command of several lines puts no line of its own into the unit that runs it.
func TestDescription(t *testing.T) {
	got := description([]string{"sh", "-c", "true\n\tUser=nobody\r\nfalse"})
	if want := "temper: sh -c true User=nobody false"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
