package verdict

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// execSettings are the directives of [Service] whose values are commands; see systemd.service(5).
var execSettings = []string{
	"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecReloadPost", "ExecStop",
	"ExecStopPost",
}

// searchPath is where systemd looks for a program without a path; see ExecSearchPath= in systemd.exec(5).
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Executable returns the program that ExecStart= names, a path or a name; "" if there is none.
func Executable(u *unit.Unit) string {
	names := commands(u, "ExecStart")
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

// programsOf describes the file that ExecStart= runs, and all other programs that the unit starts: those of its other
// commands, and the interpreters of scripts.
func programsOf(root host.Root, u *unit.Unit) (executable string, others []string) {
	dirs := searchDirs(u)
	main := find(root, Executable(u), dirs)
	var files []string
	for _, setting := range execSettings {
		for _, name := range commands(u, setting) {
			file := find(root, name, dirs)
			files = append(append(files, file), interpreters(root, file, dirs)...)
		}
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if file != main {
			others = append(others, describe(root, file))
		}
	}
	return describe(root, main), others
}

// commands returns the programs that a directive names, without those whose specifiers only a running system knows.
func commands(u *unit.Unit, setting string) []string {
	var names []string
	for _, a := range u.Assignments {
		if a.Section != "Service" || a.Name != setting {
			continue
		}
		words, err := unit.Words(a.Value)
		if len(words) == 0 && err == nil {
			names = nil // an empty assignment resets the list
			continue
		}
		if err != nil {
			continue
		}
		name := strings.TrimLeft(words[0], "-@:+!|")
		if known, err := u.ExpandKnown(name); err == nil {
			name = known
		}
		names = append(names, name)
	}
	return names
}

// searchDirs are the directories in which systemd looks for the unit's commands without a path.
func searchDirs(u *unit.Unit) []string {
	var dirs []string
	for _, a := range u.Assignments {
		if a.Section != "Service" || a.Name != "ExecSearchPath" {
			continue
		}
		if a.Value == "" {
			dirs = nil
			continue
		}
		if value, err := u.ExpandKnown(a.Value); err == nil {
			dirs = append(dirs, strings.Split(value, ":")...)
		}
	}
	if dirs == nil {
		return searchPath
	}
	return dirs
}

// find returns the path of a program, or its name if it has no path and is in none of the directories.
func find(root host.Root, name string, dirs []string) string {
	if name == "" || strings.Contains(name, "/") {
		return name
	}
	for _, dir := range dirs {
		file := path.Join(dir, name)
		if info, err := root.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

// maxInterpreters is how many scripts can be interpreters of each other; see execve(2).
const maxInterpreters = 5

// interpreters returns the programs that run a script: the one in its first line and, if that is env(1), the program
// that env starts.
func interpreters(root host.Root, file string, dirs []string) []string {
	var found []string
	for range maxInterpreters {
		head, err := root.ReadHead(file, 256)
		line, _, _ := strings.Cut(string(head), "\n")
		command, isScript := strings.CutPrefix(line, "#!")
		words := strings.Fields(command)
		if err != nil || !isScript || len(words) == 0 {
			return found
		}
		file = words[0]
		found = append(found, file)
		if path.Base(file) == "env" {
			isName := func(w string) bool { return !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") }
			if i := slices.IndexFunc(words[1:], isName); i >= 0 {
				file = find(root, words[1+i], dirs)
				found = append(found, file)
			}
		}
	}
	return found
}

// describe describes a file. When generators run, file systems such as /opt may not be mounted: a missing file is
// described by its path only.
func describe(root host.Root, file string) string {
	if !path.IsAbs(file) {
		return file
	}
	info, err := root.Stat(file)
	if err != nil {
		return file
	}
	return fmt.Sprintf("%s %d %s", file, info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05.999999999Z"))
}

// executableDiffers compares two descriptions. A file that is missing now counts as unchanged. An older temper, which
// did not search for the file, recorded only its name.
func executableDiffers(then, now string) bool {
	file, _, seen := strings.Cut(now, " ")
	had, _, _ := strings.Cut(then, " ")
	switch {
	case then == "" || then == now:
		return false
	case !strings.Contains(had, "/"):
		return had != path.Base(file)
	case !seen:
		return file != had
	}
	return true
}

// programsDiffer compares the programs of a verdict with the current ones. While one of them is missing, the programs
// that it starts are not known either.
func programsDiffer(then string, now Fingerprint) bool {
	if then == "" {
		return false
	}
	lines := map[string]string{}
	_, _, allSeen := strings.Cut(now.Executable, " ")
	for line := range strings.Lines(now.Programs) {
		line = strings.TrimSuffix(line, "\n")
		file, _, seen := strings.Cut(line, " ")
		lines[file] = line
		allSeen = allSeen && seen
	}
	for line := range strings.Lines(then) {
		line = strings.TrimSuffix(line, "\n")
		file, _, _ := strings.Cut(line, " ")
		is, there := lines[file]
		if !there && allSeen || there && is != file && is != line {
			return true
		}
	}
	return false
}
