package refusal

import (
	"fmt"
	"strconv"
	"strings"
)

// words say what each kind refuses, so that "was refused to" can stand before them, and what whoever controls the
// service can do if it is allowed. "%s" is the subject.
var words = map[Kind]struct{ act, gives string }{
	PathReadOnly:  {"write %s", "can change %s and what is below it, and leave things there for others and for later"},
	PathHidden:    {"reach %s", "can read %s, as far as its user may"},
	PathAbsent:    {"make or write %s", "can change %s and what is below it, and leave things there for others"},
	PathNoExec:    {"execute %s", "can execute %s, and what it can put in its place"},
	FileSystem:    {"open %s on such a file system", "can use that kind of file system"},
	MountPoint:    {"move or replace %s across a mount", "has no mount of its own there"},
	Device:        {"open the device %s", "can use the device %s and attack its driver"},
	Family:        {"make a socket of the family %s", "can talk by %s, and attack that part of the kernel"},
	Capability:    {"do what needs %s", "can do all that %s permits in its place, not only this"},
	Syscall:       {"call %s()", "can attack %s() in the kernel"},
	Architecture:  {"call the kernel as a program of %s", "can use the kernel's interface for %s"},
	Namespace:     {"make or join a namespace (%s)", "can attack what only root of a namespace (%s) can use"},
	Realtime:      {"be scheduled by %s", "can take a processor for itself"},
	WriteExecute:  {"make memory executable by %s()", "can write machine code and execute it"},
	SetuidBit:     {"set the set-user-ID bit of %s", "can leave programs that run with its rights"},
	Personality:   {"change its personality to %s", "can turn off protections of its memory"},
	Network:       {"reach the address %s", "can talk to %s"},
	SocketBind:    {"listen at %s", "can listen at %s in the place of another service"},
	UserMapping:   {"use the user or group id %s", "shares its users with the machine"},
	NewPrivileges: {"get privileges from a program, as %s", "can use every set-user-ID program of the machine"},
	Keyring:       {"use a keyring by %s()", "can reach the keys of its user's other processes"},
	IPC:           {"use shared objects by %s()", "can reach the memory that others of its user share"},
	ProcessHidden: {"see another process by %s", "can see the other processes of the machine"},
	ProcHidden:    {"see %s", "can read what the kernel says about the machine"},
}

// Act says what was refused, as in: it was refused to `write "/srv/x"`. The subject is quoted: who controls a service
// chooses it.
func (k Kind) Act(subject string) string { return fill(words[k].act, subject) }

// Gives says what whoever controls the service can do once it is allowed.
func (k Kind) Gives(subject string) string { return fill(words[k].gives, subject) }

func fill(text, subject string) string {
	if subject == "" {
		subject = "something"
	} else if quoted := strconv.Quote(subject); strings.HasPrefix(subject, "/") || quoted != `"`+subject+`"` {
		subject = quoted
	}
	if !strings.Contains(text, "%s") {
		return text
	}
	return fmt.Sprintf(text, subject)
}
