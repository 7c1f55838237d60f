package profiles

import (
	"regexp"
	"strings"
	"time"

	"temper/internal/unit"
)

// The phases of a trial in which checks run. A check without a phase runs in all of them except the last.
const (
	PhaseRunning   = "running"   // after the start
	PhaseReloaded  = "reloaded"  // after a reload
	PhaseRestarted = "restarted" // after a stop and another start
	PhaseStopped   = "stopped"   // after the final stop
)

var phases = []string{PhaseRunning, PhaseReloaded, PhaseRestarted, PhaseStopped}

// Check is one smoke check, which uses the service as a client does. Exactly one of the kinds is set.
type Check struct {
	Name     string        // unique within a profile
	Required bool          // false: a failure is only reported, and causes no demotion
	Timeout  time.Duration // for one attempt
	Retry    time.Duration // a failed attempt is repeated until this long after the first began; 0: one attempt
	Live     bool          // it does no harm to a service that people use: temper apply runs it
	Phase    string        // one of the phases, or "" for every phase in which the service runs

	HTTP    *HTTPCheck
	TCP     *StreamCheck
	UDP     *StreamCheck
	Unix    *StreamCheck
	Exec    *ExecCheck
	File    *FileCheck
	DBus    *DBusCheck
	Journal *JournalCheck

	Pos unit.Position // of its [[check]] line
}

// HTTPCheck makes one request. Redirects are not followed.
type HTTPCheck struct {
	URL     string // http or https, as seen from the place
	Method  string // default GET
	Headers map[string]string
	Send    string  // the body of the request
	Status  int     // the expected status; default 200
	Body    Pattern // what the body of the answer must contain
}

// StreamCheck connects, sends, and waits for an answer.
type StreamCheck struct {
	Address string  // host:port, or for a unix socket its path, where "@" starts an abstract name
	Send    string  // any bytes, sent as they are: write the line ends
	Expect  Pattern // what the answer so far must contain; "" only needs the connection
}

// ExecCheck runs a command in the place, outside the sandbox.
type ExecCheck struct {
	Command []string // program and arguments; the program is looked up in the place's usual path
	User    string   // default root
	Stdin   string
	Status  int     // the exit status that it must have; default 0
	Stdout  Pattern // what it must print
}

// FileCheck checks a file of the place.
type FileCheck struct {
	Path     string
	Exists   bool    // default true; false: it must not be there
	Contains Pattern // what the file must contain
	Mode     string  // permission bits in octal such as "0640"; "" is any
	Owner    string  // "user" or "user:group"; "" is any
}

// DBusCheck calls a method on the system bus of the place, which must not answer with an error.
type DBusCheck struct {
	Name      string // bus name
	Path      string // object path
	Interface string
	Method    string
	Args      []string // strings, all of them
}

// JournalCheck checks each message that the service logged in this trial.
type JournalCheck struct {
	Must    []string // regular expressions, each of which some message must match
	MustNot []string // regular expressions that no message may match
}

// Kind returns the name of the kind of check, such as "http".
func (c Check) Kind() string {
	switch {
	case c.HTTP != nil:
		return "http"
	case c.TCP != nil:
		return "tcp"
	case c.UDP != nil:
		return "udp"
	case c.Unix != nil:
		return "unix"
	case c.Exec != nil:
		return "exec"
	case c.File != nil:
		return "file"
	case c.DBus != nil:
		return "dbus"
	case c.Journal != nil:
		return "journal"
	}
	return ""
}

// In reports whether the check runs in a phase.
func (c Check) In(phase string) bool {
	if c.Phase == "" {
		return phase != PhaseStopped
	}
	return c.Phase == phase
}

// Pattern is text to look for: a substring, or a regular expression of package regexp between slashes, "/like this/",
// in which ^ and $ match at line ends. The empty Pattern matches everything.
type Pattern string

// Match reports whether s contains the pattern. A pattern that does not compile matches nothing; a loaded profile has
// none.
func (p Pattern) Match(s string) bool {
	expr, ok := p.expression()
	if !ok {
		return strings.Contains(s, string(p))
	}
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(s)
}

// expression returns the regular expression, if the pattern is one.
func (p Pattern) expression() (expr string, ok bool) {
	s := string(p)
	if len(s) < 3 || s[0] != '/' || s[len(s)-1] != '/' {
		return "", false
	}
	return multiline + s[1:len(s)-1], true
}

// multiline lets ^ and $ match at line ends.
const multiline = "(?m)"
