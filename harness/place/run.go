package place

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"temper/harness/place/owner"
	"temper/internal/host"
	"temper/internal/systemd"
)

// Command is a command to run in a place.
type Command struct {
	// Args is the program, by path or as found in [SearchPath], and its arguments; nothing in them is expanded.
	Args []string
	// User is who runs it; "" is root.
	User string
	// Stdin is what it can read.
	Stdin string
	// Env is added to the manager's environment, "NAME=value" each.
	Env []string
	// Timeout is when it and its children are killed; 0 is never.
	Timeout time.Duration
}

// Result is the result of a command.
type Result struct {
	// Status is the exit status, 128 and the number of the signal that killed it, or 127 if there is no such program.
	// Those from 200 on can be systemd's own, of systemd.exec(5): 217 is a user that does not exist.
	Status int
	// Stdout and Stderr are what it wrote, at most [MaxOutput] bytes each.
	Stdout, Stderr string
}

const (
	// SearchPath is where programs are looked for, in this order.
	SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// MaxOutput is how much of each output of a command is kept.
	MaxOutput = 4 << 20
)

// Run runs a command in the place, outside the sandbox of any service, and waits for it. A status other than 0 is not
// an error; one that wraps [context.DeadlineExceeded] says that c.Timeout was up, and comes with the output so far. The
// command is over, and with it every process that it started, when Run returns.
func (p *Place) Run(ctx context.Context, c Command) (Result, error) { return p.run(ctx, c, (*run).do) }

// Stream runs a command as root in the place while read reads its output. If read returns before the output ends, the
// command is killed, and its status has no meaning.
func (p *Place) Stream(
	ctx context.Context, args []string, read func(output io.Reader) error,
) (status int, stderr string, err error) {
	c := Command{Args: args}
	if end, ok := ctx.Deadline(); ok {
		c.Timeout = time.Until(end)
	}
	var reading error
	r, err := p.run(ctx, c, func(r *run, ctx context.Context) (Result, error) { return r.stream(ctx, read, &reading) })
	if err == nil || errors.Is(err, errReadEnough) {
		err = reading // where the command was given up, that is why reading has ended, too
	}
	return r.Status, r.Stderr, err
}

func (p *Place) run(ctx context.Context, c Command, do func(*run, context.Context) (Result, error)) (Result, error) {
	if err := c.valid(); err != nil {
		return Result{}, err
	}
	program, ok := p.program(c.Args[0])
	if !ok {
		return Result{Status: 127, Stderr: c.Args[0] + ": not found\n"}, nil
	}
	name, err := p.runName()
	if err != nil {
		return Result{}, err
	}
	r := &run{Place: p, Command: c, program: program, unit: name + ".service", dir: "/run/" + name}
	if err := r.prepare(); err != nil {
		return Result{}, fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	result, err := do(r, ctx)
	cleanup := r.clean(err)
	if err == nil {
		err = cleanup // otherwise one error is enough: mostly the place is gone, and takes all with it
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	return result, err
}

// runName is a new name for the unit and the files of a command. On the host it names this process, so that
// [RemoveLeftovers] can find leftovers. In a container, which ends with its commands, this process has no id.
func (p *Place) runName() (string, error) {
	id := strings.ToLower(rand.Text()[:12])
	if p.box != nil {
		return "temper-run-" + id, nil
	}
	return owner.Name("temper-run", id)
}

// valid returns an error for strings that D-Bus does not allow: they must be UTF-8 without NUL.
func (c Command) valid() error {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return errors.New("run: no command")
	}
	for _, text := range slices.Concat(c.Args, c.Env, []string{c.User}) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("run %s: %q: want UTF-8 without NUL", c.Args[0], text)
		}
	}
	return nil
}

// run is one Command that is running.
type run struct {
	*Place
	Command
	program, unit, dir string
}

// HasProgram reports whether the place has a program that [Place.Run] can run: a path, or a name in [SearchPath].
func (p *Place) HasProgram(name string) bool {
	_, found := p.program(name)
	return found
}

// program finds the path of a program in the place; systemd before 248 needs the path.
func (p *Place) program(name string) (string, bool) {
	if strings.Contains(name, "/") {
		_, err := p.root.Stat(name)
		return path.Clean("/" + name), err == nil
	}
	for dir := range strings.SplitSeq(SearchPath, ":") {
		if info, err := p.root.Stat(dir + "/" + name); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return dir + "/" + name, true
		}
	}
	return "", false
}

// prepare makes the directory for the input and outputs of the command. systemd opens these files as root.
func (r *run) prepare() error {
	return r.asRoot(func() error {
		return errors.Join(r.root.MkdirAll(r.dir, 0o700), r.root.WriteFile(r.dir+"/in", []byte(r.Stdin), 0o600))
	})
}

func (r *run) do(ctx context.Context) (Result, error) {
	// The job of a oneshot unit ends with its command; other processes of the unit may still run.
	unit := systemd.Transient{Name: r.unit, Properties: r.properties()}
	_, err := r.manager.StartTransientUnit(ctx, systemd.Replace, unit)
	if err == nil {
		err = r.inactive(ctx)
	}
	if err != nil {
		return r.output(0), r.cause(err)
	}
	return r.collect(ctx)
}

// errReadEnough says that a command was killed since its reader does not want the rest of the output.
var errReadEnough = errors.New("its output was read as far as it was wanted")

// stream is do with a pipe as output, which read reads meanwhile. It stores the error of read in reading.
func (r *run) stream(ctx context.Context, read func(io.Reader) error, reading *error) (Result, error) {
	out, hold, err := r.pipe()
	if err != nil {
		return Result{}, err
	}
	defer out.Close()
	within, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	var over sync.WaitGroup
	over.Go(func() {
		*reading = read(out)
		enough(errReadEnough)
	})
	result, err := r.do(within)
	if err != nil {
		_ = out.SetReadDeadline(time.Now())
	} else {
		// What the command has written is in the pipe. A process that is not of its unit can have the other end, too.
		_ = out.SetReadDeadline(time.Now().Add(cleanWithin))
	}
	_ = hold.Close()
	over.Wait()
	if err != nil && ctx.Err() == nil && context.Cause(within) != nil {
		err = context.Cause(within)
	}
	return result, err
}

// pipe makes a pipe for the output of the command. It returns the end to read from, and hold, an open end to write to:
// without it, the output would end before the command opens the pipe.
func (r *run) pipe() (out, hold *os.File, err error) {
	err = r.asRoot(func() (err error) {
		out, err = r.root.MakePipe(r.dir+"/out", 0o600)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if hold, err = os.OpenFile(host.Descriptor(out), os.O_WRONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, nil, errors.Join(err, out.Close())
	}
	return out, hold, nil
}

// execCommand is a command as D-Bus has it.
type execCommand struct {
	Path   string
	Args   []string
	Ignore bool
}

// execCommandEx is a command with flags as D-Bus has it: see systemd.service(5), special executable prefixes.
type execCommandEx struct {
	Path  string
	Args  []string
	Flags []string
}

func (r *run) properties() []systemd.Property {
	user := r.User
	if user == "" {
		user = "root" // named, so that HOME is set
	}
	timeout := uint64(r.Timeout / time.Microsecond)
	if timeout == 0 {
		timeout = ^uint64(0) // USEC_INFINITY
	}
	var list []systemd.Property
	add := func(name string, value any) { list = append(list, systemd.Property{Name: name, Value: value}) }
	add("Description", description(r.Args))
	add("Type", "oneshot")
	add("CollectMode", "inactive-or-failed")
	add("AddRef", true) // until its status has been read
	add("DefaultDependencies", false)
	add("User", user)
	add("WorkingDirectory", "/")
	add("Environment", append([]string{}, r.Env...))
	add("StandardInputFile", r.dir+"/in")
	add("StandardOutputFile", r.dir+"/out")
	add("StandardErrorFile", r.dir+"/err")
	add("TimeoutStartUSec", timeout)
	add("KillSignal", int32(unix.SIGKILL))
	if r.version >= readsLiteral {
		add("ExecStartEx", []execCommandEx{{r.program, r.Args, []string{"no-env-expand"}}})
	} else {
		add("ExecStart", []execCommand{{r.program, literal(r.Args), false}})
	}
	return list
}

// readsLiteral is a version of systemd that was seen to read ExecStartEx from the file of a transient unit, as it does
// where a daemon-reload comes before the process starts. 247 and 252 would never start it.
const readsLiteral = 257

// literal escapes arguments so that systemd expands no variables in them. Where it reads them from the file of the
// transient unit again, 247 has them right, 252 not, and 257 and 262 double each $ once more.
func literal(args []string) []string {
	escaped := make([]string, len(args))
	for i, arg := range args {
		escaped[i] = strings.ReplaceAll(arg, "$", "$$")
	}
	return escaped
}

// inactive waits until no process of the unit is left.
func (r *run) inactive(ctx context.Context) error {
	for {
		p, err := r.manager.LoadedUnit(ctx, r.unit)
		if state := systemd.Get[string](p, "ActiveState"); err != nil || state == "inactive" || state == "failed" {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// cause replaces an error of a lost connection by the reason why the place has ended.
func (r *run) cause(err error) error {
	if gone := r.Err(); gone != nil && errors.Is(err, systemd.ErrGone) {
		return gone
	}
	return err
}

// collect reads how the command ended, and what it wrote.
func (r *run) collect(ctx context.Context) (Result, error) {
	s, err := r.manager.LoadedService(ctx, r.unit)
	if err != nil {
		return Result{}, r.cause(err)
	}
	status := int(s.Status)
	if s.Code == systemd.Killed || s.Code == systemd.Dumped {
		status += 128
	}
	result := r.output(status)
	switch {
	case s.Result == "timeout":
		return result, fmt.Errorf("still running after %s: %w", r.Timeout, context.DeadlineExceeded)
	case s.Code == 0:
		return result, fmt.Errorf("systemd could not start it: %s", s.Result)
	}
	return result, nil
}

func (r *run) output(status int) Result {
	return Result{Status: status, Stdout: r.read("out"), Stderr: r.read("err")}
}

// read returns the beginning of an output; "" if the command has not opened it.
func (r *run) read(name string) string {
	// The root of the place may have replaced it by another kind of file, such as a pipe without a writer.
	f, err := r.root.Open(r.dir + "/" + name)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, MaxOutput)) // a file in memory
	return string(data)
}

// clean removes everything of the command, in whatever state it is, also after the context of the caller has ended.
// After a failure the unit may be queued or running; then clean stops it, by SIGKILL.
func (r *run) clean(failure error) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanWithin)
	defer cancel()
	if failure != nil {
		_, _ = r.manager.StopUnit(ctx, r.unit) // fails if the unit is not loaded any more, which is fine
	}
	_ = r.manager.Unref(ctx, r.unit) // likewise
	return r.root.RemoveAll(r.dir)
}

const cleanWithin = 5 * time.Second

// description names a command in one line: PID 1 writes it into a unit file as it is, and would take further lines for
// settings of the unit when it reads that again.
func description(args []string) string {
	return "temper: " + strings.Join(strings.Fields(strings.Join(args, " ")), " ")
}
