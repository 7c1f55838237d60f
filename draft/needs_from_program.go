package draft

import (
	"debug/elf"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"temper/internal/host"
)

// sessions is the base for a service in whose sessions users do what they like.
const sessions = "base/sessions"

// A program is what the file of a program tells of what it can do. No launch shows that before somebody uses it.
type program struct {
	opensSession bool   // it, or a program that it starts, opens sessions for users
	makesCode    string // the library by which it writes code and executes it; empty if there is none
	asksNames    string // the library by which it asks name servers about what clients send; empty if there is none
}

// openSession is the function of PAM by which a program opens a session for a user; pam_open_session(3).
const openSession = "pam_open_session"

// Libraries that need something when they are used, and not yet when they are loaded.
var (
	codeMakers = []string{"libluajit-"} // write code and execute it
	nameAskers = []string{              // ask name servers by sockets of their own
		"libcares.so", "libmilter.so", "libresolv.so", "libspf2.so", "libunbound.so",
	}
)

// helperPath matches the path of a program that another one starts, in the text of that.
var helperPath = regexp.MustCompile(`/usr/lib(exec)?/[A-Za-z0-9_./+-]+|(/usr)?/bin/login\b`)

// readProgram reads a program. A file that is none in ELF tells nothing, such as a script.
func readProgram(root host.Root, name string) (p program) {
	f := readELF(root, name)
	p.makesCode, p.asksNames = f.linkedWith(codeMakers), f.linkedWith(nameAskers)
	opens := func(f elfFile) bool { return slices.Contains(f.functions, openSession) }
	p.opensSession = opens(f) || slices.ContainsFunc(f.helpers, func(helper string) bool {
		return opens(readELF(root, helper))
	})
	return p
}

// An elfFile is what is read of a file in ELF; elf(5).
type elfFile struct {
	libraries []string // that it is linked with
	functions []string // of these that it calls
	helpers   []string // paths of other programs in its text
}

const (
	mostText    = 16 << 20 // bytes that are searched for paths
	mostHelpers = 64
)

func readELF(root host.Root, name string) (found elfFile) {
	f, err := root.Open(name)
	if err != nil {
		return found
	}
	defer f.Close()
	file, err := elf.NewFile(f)
	if err != nil {
		return found
	}
	found.libraries, _ = file.ImportedLibraries() // a static program has none
	symbols, _ := file.ImportedSymbols()
	for _, s := range symbols {
		found.functions = append(found.functions, s.Name)
	}
	text := file.Section(".rodata")
	if text == nil || text.Size > mostText {
		return found
	}
	data, err := text.Data()
	if err != nil {
		return found
	}
	for _, helper := range helperPath.FindAll(data, mostHelpers) {
		found.helpers = append(found.helpers, string(helper))
	}
	return found
}

// linkedWith is the first of the libraries whose name begins as a known one does; empty if there is none.
func (f elfFile) linkedWith(known []string) string {
	i := slices.IndexFunc(f.libraries, func(name string) bool {
		return slices.ContainsFunc(known, func(begin string) bool { return strings.HasPrefix(name, begin) })
	})
	if i < 0 {
		return ""
	}
	return f.libraries[i]
}

// noteProgram notes what the program of the service tells.
func (s *sketch) noteProgram(p program) {
	if p.opensSession {
		s.about = append(s.about, fmt.Sprintf(
			"Its program opens sessions for users (%s): what it is forbidden, each session is.", openSession))
	}
	if x := s.setting("RestrictAddressFamilies"); p.asksNames != "" && x.values != nil && !p.opensSession {
		x.values = x.directive.Allow(x.values, []string{"AF_INET", "AF_INET6"}, s.version)
		x.reasons = append(x.reasons, fmt.Sprintf("its program asks name servers, by %s", p.asksNames))
	}
	if p.makesCode != "" {
		x := s.setting("MemoryDenyWriteExecute")
		x.values = nil
		x.reasons = append(x.reasons, fmt.Sprintf("its program writes code that it executes, by %s", p.makesCode))
	}
}
