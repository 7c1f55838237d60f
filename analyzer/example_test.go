package analyzer_test

import (
	"fmt"
	"strings"

	"temper/analyzer"
	"temper/internal/unit"
)

// A unit that a unit.Loader found is scored in the same way.
func Example() {
	text := "[Service]\nExecStart=/usr/sbin/webd\nUser=web\nPrivateDevices=yes\nProtectHome=maybe\n"
	assignments, _, err := unit.Parse("/etc/systemd/system/web.service", strings.NewReader(text))
	if err != nil {
		fmt.Println(err)
		return
	}
	u := &unit.Unit{Name: "web.service", ID: "web.service", Fragment: "/etc/systemd/system/web.service", Assignments: assignments}
	options := analyzer.Options{Version: 257, Arch: "x86_64"}

	r, err := analyzer.Score(u, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Unit, analyzer.Points(r.Exposure), r.Level)
	fmt.Println(r.Ignored[0])

	advice, err := analyzer.Advise(u, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s saves %.2f: %s\n", advice[0].Assignment(), advice[0].Saves, advice[0].Then)
	// Output:
	// web.service 8.4 EXPOSED
	// /etc/systemd/system/web.service:5: ProtectHome=maybe is no value of it in systemd 257, which ignores it; want no, read-only, tmpfs, yes
	// SystemCallFilter=~@privileged saves 1.01: System call deny list defined for service, and @privileged is included
}
