package host_test

import (
	"testing"

	"temper/internal/host"
)

func TestBelow(t *testing.T) {
	for _, tc := range []struct {
		dir, name string
		want      bool
	}{
		{"/", "/", true},
		{"/", "/a", true},
		{"/a", "/a", true},
		{"/a", "/a/b", true},
		{"/a", "/ab", false},
		{"/a", "/", false},
	} {
		if got := host.Below(tc.dir, tc.name); got != tc.want {
			t.Errorf("%s below %s: %v", tc.name, tc.dir, got)
		}
	}
}
