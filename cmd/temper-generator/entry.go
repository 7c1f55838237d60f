//go:build linux && (amd64 || arm64)

package main

//lint:file-ignore U1000 The linker and the assembler use these.

// entry is where the kernel starts the program that make links. It ends it where no directory of profiles exists, as
// [ready.HasProfiles] tells for others, before Go's runtime begins, which alone takes longer than a generator with nothing to
// do should. Elsewhere, and for any TEMPER_ROOT, it goes on to the runtime and so to main.
//
// Before that it keeps the process to the processor that it runs on, and says that it wants no other interrupted when it wakes
// (SCHED_BATCH, sched(7)). The runtime has a thread, sysmon, that wakes some sixty times in the few milliseconds that a boot takes: on
// another processor that costs interrupts, on the same one it would take it from the work. [share] takes both back.
func entry()

// profileDirs are [ready.ProfileDirs] as the kernel takes them, each with a zero at its end.
var profileDirs = "/etc/temper/profiles.d\x00/run/temper/profiles.d\x00/usr/local/lib/temper/profiles.d\x00/usr/lib/temper/profiles.d\x00"

// processor is the one that entry leaves.
var processor [1024 / 8]uint64
