package clone

import (
	"strings"
	"testing"

	"temper/internal/unit"
)

// TestNames: a drop-in that names the unit's own control group names that of the clone in a trial, and what the clone
// shows is told by the names of the unit.
func TestNames(t *testing.T) {
	u := &unit.Unit{Name: "web.service", ID: "web.service"}
	dropin := "[Service]\n" +
		"ReadWritePaths=-/sys/fs/cgroup/system.slice/web.service /run/web.service/x /run/web.service.d\n" +
		"ReadOnlyPaths=/etc/systemd/system/web.service /sys/fs/cgroup/system.slice/web.service2\n"
	for slice, group := range map[bool]string{false: "/system.slice", true: "/system.slice/system-T.slice"} {
		c := Clone{Unit: u, OwnSlice: slice}
		want := "[Service]\n" +
			"ReadWritePaths=-/sys/fs/cgroup" + group + "/T.service /run/T.service/x /run/web.service.d\n" +
			"ReadOnlyPaths=/etc/systemd/system/web.service /sys/fs/cgroup/system.slice/web.service2\n"
		if got := c.Files("T", dropin)["T.service.d/50-temper.conf"]; got != want {
			t.Errorf("own slice %v: %s, want %s", slice, got, want)
		}
		shown := "/sys/fs/cgroup" + group + "/T.service/payload, T.service"
		for _, n := range c.Names("T") {
			shown = strings.ReplaceAll(shown, n.Clone, n.Unit)
		}
		if want := "/sys/fs/cgroup/system.slice/web.service/payload, web.service"; shown != want {
			t.Errorf("own slice %v: %s, want %s", slice, shown, want)
		}
	}
}
