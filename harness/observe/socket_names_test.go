package observe

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCount: sockets whose names differ only in numbers are numbered. A socket of several processes counts once.
func TestCount(t *testing.T) {
	counted := func(names ...string) []string {
		by := &socketNames{alike: map[string][]string{}}
		var list []string
		for _, name := range names {
			list = append(list, by.count(withoutNumbers(name), name))
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	want := []string{"unix /run/N.sock", "unix /run/N.sock (number 2)"}
	for _, names := range [][]string{
		{"unix /run/a1.sock", "unix /run/a2.sock"}, {"unix /run/b9.sock", "unix /run/b9.sock", "unix /run/c3.sock"},
	} {
		if diff := cmp.Diff(want, counted(names...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", names, diff)
		}
	}
	if diff := cmp.Diff([]string{"unixgram /tmp/N"}, counted("unixgram /tmp/c1", "unixgram /tmp/c2")); diff != "" {
		t.Errorf("sockets of clients (-want +got):\n%s", diff)
	}
}
