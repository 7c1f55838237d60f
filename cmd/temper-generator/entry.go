//go:build linux && (amd64 || arm64)

package main

//lint:file-ignore U1000 The linker and the assembler use these.

// entry is where the kernel starts the program that make links. It ends it where no directory of profiles exists, as
// [ready.HasProfiles] tells for others, before Go's runtime begins, which alone takes longer than a generator with nothing to
// do should. Elsewhere, and for any TEMPER_ROOT, it goes on to the runtime and so to main.
func entry()

// profileDirs are [ready.ProfileDirs] as the kernel takes them, each with a zero at its end.
var profileDirs = "/etc/temper/profiles.d\x00/run/temper/profiles.d\x00/usr/local/lib/temper/profiles.d\x00/usr/lib/temper/profiles.d\x00"
