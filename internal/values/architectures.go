package values

import "runtime"

// architectureNames are the names that SystemCallArchitectures= accepts, each with the first systemd version that has
// it; 0 is 247 or older. systemd#23181 added parisc between 250 and 251. loongarch64 is in 257 but not in 252.
var architectureNames = []struct {
	name  string
	since int
}{
	{name: "native"},
	{name: "x86-64"},
	{name: "x86"},
	{name: "x32"},
	{name: "arm"},
	{name: "arm64"},
	{name: "loongarch64", since: 257},
	{name: "mips"},
	{name: "mips64"},
	{name: "mips64-n32"},
	{name: "mips-le"},
	{name: "mips64-le"},
	{name: "mips64-le-n32"},
	{name: "parisc", since: 251},
	{name: "parisc64", since: 251},
	{name: "ppc"},
	{name: "ppc64"},
	{name: "ppc64-le"},
	{name: "riscv64"},
	{name: "s390"},
	{name: "s390x"},
}

// ArchitectureNames returns the names that SystemCallArchitectures= accepts.
func ArchitectureNames() []string {
	names := make([]string, len(architectureNames))
	for i, a := range architectureNames {
		names[i] = a.name
	}
	return names
}

// KnownArchitecture reports whether a systemd version accepts a word as an architecture.
func KnownArchitecture(word string, version int) bool {
	for _, a := range architectureNames {
		if a.name == word {
			return a.since <= version
		}
	}
	return false
}

// otherArchitectures are, for an architecture as Go calls it, those whose system calls its kernel takes besides.
var otherArchitectures = map[string][]string{
	"amd64":    {"x86", "x32"},
	"arm64":    {"arm"},
	"mips64":   {"mips", "mips64-n32"},
	"mips64le": {"mips-le", "mips64-le-n32"},
	"ppc64":    {"ppc"},
	"s390x":    {"s390"},
}

// OtherArchitectures returns the architectures whose system calls the kernel of this machine may take besides its own.
func OtherArchitectures() []string { return otherArchitectures[runtime.GOARCH] }
