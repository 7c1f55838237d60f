package profiles

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	Requires []string      // programs of the place's usual path, and absolute paths; if one is missing, it does not run

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

// NotRun is the exit status by which the command of an [ExecCheck] says that it did nothing, as for autopkgtest.
const NotRun = 77

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

// Uses reports whether the check makes the service do its work. Nobody uses a service by a connection, a greeting, an
// introspection, a property, a line of the log, or by looking whether a process or a file exists. A file counts if the
// service makes it, which only a trial can show; those in directories for runtime state never do.
func (c Check) Uses() bool {
	stream := func(s *StreamCheck) bool { return s != nil && s.Send != "" && s.Expect != "" }
	switch {
	case c.HTTP != nil, stream(c.TCP), stream(c.UDP), stream(c.Unix):
		return true
	case c.Exec != nil:
		return !onlyLooks(c.Exec.Command)
	case c.File != nil:
		isRuntime := func(dir string) bool { return strings.HasPrefix(path.Clean(c.File.Path)+"/", dir) }
		return c.File.Exists && !slices.ContainsFunc(runtimeDirs, isRuntime)
	case c.DBus != nil:
		return c.DBus.Method != "" && !slices.Contains(dbusReads, c.DBus.Interface+"."+c.DBus.Method)
	}
	return false
}

// runtimeDirs are directories in which daemons leave sockets and process ids when they start.
var runtimeDirs = []string{"/run/", "/var/run/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/"}

// dbusReads are methods that every object on the bus has and that cause no work.
var dbusReads = []string{
	"org.freedesktop.DBus.Introspectable.Introspect", "org.freedesktop.DBus.Peer.Ping",
	"org.freedesktop.DBus.Peer.GetMachineId", "org.freedesktop.DBus.Properties.Get",
	"org.freedesktop.DBus.Properties.GetAll", "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
}

// lookers are programs and words of the shell that only look at processes, sockets, files, units and the log.
var lookers = strings.Fields(`: [ [[ cat cd done echo egrep else esac exit false fgrep fi find for getent grep head id
	in journalctl ls lsof netstat pgrep pidof printf ps pwd readlink realpath return sed set sleep ss sort stat systemctl
	tail test tr true wc xargs`)

// prefixes are words of the shell after which a command follows, and programs that run one.
var prefixes = strings.Fields("! do else env exec if nice sudo then timeout until while")

var (
	shellPrograms = []string{"sh", "bash", "dash"}
	assignment    = &rule{expr: `^[A-Za-z_][A-Za-z0-9_]*=`}
	redirection   = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\d*[<>]+\s*(&\d|&?-|[^\s;|&()<>]+)`)
	})
)

// onlyLooks reports whether a command, or all commands of a shell script, only look at what is there.
func onlyLooks(command []string) bool {
	if len(command) < 3 || !slices.Contains(shellPrograms, path.Base(command[0])) {
		return onlyLooksAt(command)
	}
	for line := range strings.Lines(command[2]) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, part := range strings.FieldsFunc(redirection().ReplaceAllString(line, " "), separates) {
			if !onlyLooksAt(strings.Fields(part)) {
				return false
			}
		}
	}
	return true
}

// separates reports whether a character ends a command of a shell script.
func separates(r rune) bool { return strings.ContainsRune("\n;|&(){}`", r) }

// onlyLooksAt judges one command.
func onlyLooksAt(words []string) bool {
	for i, word := range words {
		word = path.Base(strings.Trim(word, `"'$`))
		number, _ := strconv.Atoi(strings.TrimRight(word, "smh"))
		isPart := slices.Contains(prefixes, word) || assignment.matches(word) || strings.HasPrefix(word, "-") ||
			number > 0 || word == "."
		switch {
		case isPart:
		case word == "kill":
			return i+1 < len(words) && words[i+1] == "-0"
		case word == "busctl":
			return !slices.Contains(words, "call") && !slices.Contains(words, "set-property")
		default:
			return slices.Contains(lookers, word)
		}
	}
	return true
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
