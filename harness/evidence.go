package harness

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/verdict"
)

// readOnly finds a path in a line of a log that tells of a read-only file system (EROFS, as strerror(3) words it).
var readOnly = regexp.MustCompile(`(/[^\s"':,()]+).*[Rr]ead-only file ?system|[Rr]ead-only file ?system.*?(/[^\s"':,()]+)`)

// shared are directories that hold the files of many services: an exception names the file, never the whole directory.
var shared = []string{"/", "/etc", "/usr", "/var", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/run", "/srv", "/opt", "/home", "/root"}

// kernels matches the files that the kernel makes: nobody renames others over them.
var kernels = regexp.MustCompile(`^/(proc|sys|dev)/`)

// readLog reads the log of a failed trial: which exact exceptions it asks for. It is what is left where the kernel has no
// witness to offer.
func readLog(t Trial, ls []*lever, root host.Root) []proposal {
	d := exceptionsOf("", witness.PathReadOnly)
	if !protects(ls, d.With) {
		return nil
	}
	var list []proposal
	for _, line := range t.Log {
		m := readOnly.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		file := path.Clean(strings.TrimRight(m[1]+m[2], "."))
		list = append(list, proposal{directive: d, names: []string{writable(root, file)}, evidence: verdict.Evidence{Kind: "log", Text: line}})
	}
	return list
}

// protects reports whether a directive is still on.
func protects(ls []*lever, name string) bool {
	for _, l := range ls {
		if l.directive.Name == name && !l.isOff() {
			return true
		}
	}
	return false
}

// writable returns what must be writable for a file to be written: its directory, since services make files and replace them
// by renaming others over them, unless the directory is shared with the rest of the system or made by the kernel.
func writable(root host.Root, file string) string {
	dir := path.Dir(file)
	if kernels.MatchString(file) {
		return file
	}
	if info, err := root.Stat(file); err == nil && info.IsDir() || slices.Contains(shared, dir) {
		return file
	}
	return dir
}

// evidence is what a failed trial shows of its failure: how it ended, and the last thing that the service said.
func (t Trial) evidence() []verdict.Evidence {
	list := slices.Clone(t.Failures[:min(len(t.Failures), 3)])
	if n := len(t.Log); n > 0 {
		list = append(list, verdict.Evidence{Kind: "log", Text: t.Log[n-1]})
	}
	return list
}
