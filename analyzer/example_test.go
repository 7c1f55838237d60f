package analyzer_test

import (
	"fmt"

	"temper/analyzer"
	"temper/analyzer/exposure"
)

// The services of a directory that is read as a machine are scored as that machine's systemd does it.
func ExampleSource_Score() {
	src := analyzer.Source{Root: "testdata/machine", Options: exposure.Options{Arch: "x86_64"}}
	r, err := src.Score("web")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Unit, exposure.Points(r.Exposure), r.Level)
	for _, row := range r.Rows[:2] {
		fmt.Println(row.Exposure, row.Name, row.Description)
	}
	fmt.Println(r.Ignored[0])
	// Output:
	// web.service 8.2 EXPOSED
	// 0.1 RemoveIPC= Service user may leave SysV IPC objects around
	// 0.1 RootDirectory=/RootImage= Service runs within the host's root directory
	// /usr/lib/systemd/system/web.service:5: ProtectHome=maybe is no value of it in systemd 257, which ignores it; want no, read-only, tmpfs, yes
}

func ExampleSource_Advise() {
	src := analyzer.Source{Root: "testdata/machine", Options: exposure.Options{Arch: "x86_64"}}
	list, err := src.Advise("web.service")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s saves %.2f: %s\n", list[0].Assignment(), list[0].Saves, list[0].Then)
	// Output:
	// SystemCallFilter=~@privileged saves 1.01: System call deny list defined for service, and @privileged is included
}

func ExampleSource_ScoreAll() {
	src := analyzer.Source{Root: "testdata/machine", Options: exposure.Options{Version: 262, Arch: "x86_64"}}
	for r, err := range src.ScoreAll() {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(r.Unit, exposure.Points(r.Exposure), r.Level)
	}
	// Output:
	// web.service 8.2 EXPOSED
	// /usr/lib/systemd/system/wrong.service:3: User=a:b is no valid name or number: systemd refuses the unit
}

// A unit that is in no file yet, as an editor or a code generator has it.
func ExampleSource_ScoreText() {
	src := analyzer.Source{Options: exposure.Options{Version: 257, Arch: "x86_64"}}
	r, err := src.ScoreText("web.service",
		"[Service]\nExecStart=/usr/sbin/webd\nPrivateDevices=yes\nProtectHome=maybe\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(exposure.Points(r.Exposure), r.Level)
	fmt.Println(r.Ignored[0])
	// Output:
	// 8.8 EXPOSED
	// web.service:4: ProtectHome=maybe is no value of it in systemd 257, which ignores it; want no, read-only, tmpfs, yes
}
