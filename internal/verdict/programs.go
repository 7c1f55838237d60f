package verdict

import (
	"fmt"
	"path"
	"regexp"
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
	all := commands(u, "ExecStart")
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].program
}

// Program returns the path on the machine of the program that ExecStart= runs; its name if it is not found, "" if there
// is none.
func Program(root host.Root, u *unit.Unit) string { return newSearched(root, u).find(Executable(u)) }

// programsOf describes the file that ExecStart= runs, and all other programs that the unit starts: those of its other
// commands, those that their arguments name, and the interpreters of scripts. It does not know what a program reads or
// starts by itself, such as libraries.
func programsOf(root host.Root, u *unit.Unit) (executable string, others []string) {
	s := newSearched(root, u)
	main := s.find(Executable(u))
	var files []string
	for _, setting := range execSettings {
		for _, c := range commands(u, setting) {
			file := s.find(c.program)
			started := append([]string{file}, s.arguments(file, c.arguments)...)
			for _, script := range started {
				files = append(append(files, script), s.interpreters(script)...)
			}
		}
	}
	image, _ := u.Last("Service", "RootImage")
	if name, err := u.ExpandKnown(image.Value); err == nil && path.IsAbs(name) {
		files = append(files, name)
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if file != main {
			others = append(others, describe(root, file))
		}
	}
	return describe(root, main), others
}

// rootDirectory is the directory in which systemd looks for the programs of a unit; "" if it is that of the machine.
func rootDirectory(u *unit.Unit) string {
	dir, _ := u.Last("Service", "RootDirectory")
	if name, err := u.ExpandKnown(dir.Value); err == nil && path.Clean(name) != "/" {
		return strings.TrimPrefix(name, "-")
	}
	return ""
}

// A command is one that a unit starts: a program, which may be a name without a path, and its arguments.
type command struct {
	program   string
	arguments []string
}

// commands returns the commands of a directive. A specifier whose value only a running system knows is left as it is.
func commands(u *unit.Unit, setting string) []command {
	var all []command
	for _, a := range u.Assignments {
		if a.Section != "Service" || a.Name != setting {
			continue
		}
		words, err := unit.Words(a.Value)
		if len(words) == 0 && err == nil {
			all = nil // an empty assignment resets the list
			continue
		}
		if err != nil {
			continue
		}
		for _, line := range split(words, ";") {
			for i, w := range line {
				if known, err := u.ExpandKnown(w); err == nil {
					line[i] = known
				}
			}
			all = append(all, command{strings.TrimLeft(line[0], "-@:+!|"), line[1:]})
		}
	}
	return all
}

// split splits words at each separator, and leaves empty parts out.
func split(words []string, separator string) (parts [][]string) {
	for begin, i := 0, 0; i <= len(words); i++ {
		if i < len(words) && words[i] != separator {
			continue
		}
		if begin < i {
			parts = append(parts, words[begin:i])
		}
		begin = i + 1
	}
	return parts
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

// searched is where the programs of a unit are.
type searched struct {
	root   host.Root
	dirs   []string
	inside string // the root directory of the unit; "" if it is that of the machine
}

func newSearched(root host.Root, u *unit.Unit) searched {
	return searched{root: root, dirs: searchDirs(u), inside: rootDirectory(u)}
}

// find returns the path of a program on the machine, or its name if it has no path and is in none of the directories.
func (s searched) find(name string) string {
	if name == "" || strings.Contains(name, "/") {
		return s.onMachine(name)
	}
	for _, dir := range s.dirs {
		file := s.onMachine(path.Join(dir, name))
		if info, err := s.root.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

// onMachine is the path on the machine of an absolute path of the unit.
func (s searched) onMachine(name string) string {
	if s.inside != "" && path.IsAbs(name) {
		return path.Join(s.inside, name)
	}
	return name
}

// programDirectories hold programs and what belongs to them; settings and data are elsewhere, see file-hierarchy(7).
var programDirectories = regexp.MustCompile(`^/(usr|opt|bin|sbin|lib|lib32|lib64)/`)

// betweenPaths is what can stand before and after a path in an argument, such as the text of sh -c.
const betweenPaths = " \t\n\"'`;|&()<>{}=,:$"

// arguments returns the programs that the arguments of a program name: what env(1) starts, and each file in a directory
// of programs. A directory is no program.
func (s searched) arguments(program string, arguments []string) (files []string) {
	if path.Base(program) == "env" {
		if name := startedByEnv(arguments); name != "" {
			files = append(files, s.find(name))
		}
	}
	for _, argument := range arguments {
		for _, word := range s.paths(argument) {
			file := s.onMachine(word)
			if info, err := s.root.Stat(file); err != nil || info.Mode().IsRegular() {
				files = append(files, file)
			}
		}
	}
	return files
}

// paths returns the paths in directories of programs that an argument has: it is one, or has some in its text.
func (s searched) paths(argument string) []string {
	words := []string{argument}
	if !s.exists(argument) {
		words = strings.FieldsFunc(argument, func(r rune) bool { return strings.ContainsRune(betweenPaths, r) })
	}
	return slices.DeleteFunc(words, func(word string) bool { return !programDirectories.MatchString(word) })
}

func (s searched) exists(name string) bool {
	if !path.IsAbs(name) {
		return false
	}
	_, err := s.root.Stat(s.onMachine(name))
	return err == nil
}

// startedByEnv returns the program that env(1) starts.
func startedByEnv(arguments []string) string {
	for i := 0; i < len(arguments); i++ {
		a := arguments[i]
		switch text, splits := textToSplit(a); {
		case splits:
			return startedByEnv(append(strings.Fields(text), arguments[i+1:]...))
		case slices.Contains([]string{"-u", "--unset", "-C", "--chdir"}, a):
			i++ // its value
		case !strings.HasPrefix(a, "-") && !strings.Contains(a, "="):
			return a
		}
	}
	return ""
}

// splitting matches the option of env(1) before a text that it splits into arguments, and short options before it.
var splitting = regexp.MustCompile(`^(--split-string=|-[0iv]*S)`)

func textToSplit(argument string) (text string, splits bool) {
	option := splitting.FindString(argument)
	return argument[len(option):], option != ""
}

// maxInterpreters is how many scripts can be interpreters of each other; see execve(2).
const maxInterpreters = 5

// interpreters returns the programs that run a script: the one in its first line, and those that its arguments there
// name.
func (s searched) interpreters(file string) []string {
	var found []string
	for range maxInterpreters {
		head, err := s.root.ReadHead(file, 256)
		line, _, _ := strings.Cut(string(head), "\n")
		command, isScript := strings.CutPrefix(line, "#!")
		words := strings.Fields(command)
		if err != nil || !isScript || len(words) == 0 {
			return found
		}
		file = s.onMachine(words[0])
		more := s.arguments(file, words[1:])
		found = append(append(found, file), more...)
		if path.Base(file) == "env" && len(more) > 0 {
			file = more[0]
		}
	}
	return found
}

var blanks = strings.NewReplacer(" ", `\x20`, "\n", `\n`)

// describe describes a file. When generators run, file systems such as /opt may not be mounted: a missing file is
// described by its path only. No description has a blank in the path, or a line break.
func describe(root host.Root, file string) string {
	name := blanks.Replace(file)
	if !path.IsAbs(file) {
		return name
	}
	info, err := root.Stat(file)
	if err != nil {
		return name
	}
	return fmt.Sprintf("%s %d %s", name, info.Size(), info.ModTime().UTC().Format("2006-01-02T15:04:05.999999999Z"))
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
