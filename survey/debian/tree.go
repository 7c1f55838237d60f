// Package debian makes root trees of Debian for surveys: a base tree that is kept, and for each package a throwaway
// copy of it in which the package is installed.
//
// Call [Open], then [Base.Layer]. Packages are those of the archive: their scripts run as root in a chroot with
// namespaces of its own, as they would at any installation.
package debian

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"temper/internal/host"
)

const (
	keptLines = 20              // of the output of a command that failed
	waitDelay = 5 * time.Second // for what a killed command leaves behind to close its output
)

// A Base is a root tree with systemd and without services.
type Base struct {
	Suite string
	Tree  string
}

// included are the packages of a base tree besides the essential ones: systemd, what the checks of profiles use, and
// what unpacks sources.
const included = "systemd,systemd-sysv,dbus,iproute2,procps,curl,ca-certificates,logrotate,busybox,netcat-openbsd," +
	"xz-utils,bzip2"

// withSources lets apt fetch the sources of packages, for their tests.
const withSources = `sed -n "s/^deb /deb-src /p" "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/sources.list" && ` +
	`chroot "$1" apt-get --quiet update -o Acquire::Check-Valid-Until=false -o Acquire::Retries=5`

// nameOf names the base tree of a suite: another name where another temper makes it differently.
func nameOf(suite string) string {
	sum := sha256.Sum256([]byte(included + withSources))
	return fmt.Sprintf("%s-%x", suite, sum[:4])
}

// Open returns the base tree of a suite, and makes it with mmdebstrap if the cache does not have it. Two processes that
// open it at the same time make it once.
func Open(ctx context.Context, cache, suite string, talk io.Writer) (Base, error) {
	if suite == "" || strings.ContainsAny(suite, "/ \t\n") || strings.HasPrefix(suite, "-") {
		return Base{}, fmt.Errorf("%q is no name of a suite", suite)
	}
	if err := makeCache(cache); err != nil {
		return Base{}, err
	}
	unlock, err := host.Root{}.Lock(ctx, filepath.Join(cache, "."+suite+".lock"))
	if err != nil {
		return Base{}, err
	}
	defer unlock()
	b := Base{Suite: suite, Tree: filepath.Join(cache, nameOf(suite))}
	if _, err := os.Stat(b.Tree); err == nil {
		return b, nil
	}
	fmt.Fprintf(talk, "temper: making the base tree %s\n", b.Tree)
	made := b.Tree + ".new"
	if err := os.RemoveAll(made); err != nil {
		return Base{}, err
	}
	c := exec.CommandContext(ctx, "mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io",
		"--skip=cleanup/apt/lists", `--aptopt=Acquire::Check-Valid-Until "false"`, `--aptopt=Acquire::Retries "5"`,
		"--include="+included, "--customize-hook="+withSources,
		`--customize-hook=test -e "$1/etc/hosts" || printf "127.0.0.1 localhost\n::1 localhost\n" >"$1/etc/hosts"`,
		`--customize-hook=: >"$1/etc/machine-id"`,
		suite, made)
	if _, err := output(ctx, c, "mmdebstrap "+suite); err != nil {
		return Base{}, fmt.Errorf("make the base tree: %w", err)
	}
	return b, os.Rename(made, b.Tree)
}

// ofCache are the names of what a cache has: locks, and base trees of this and other versions of temper.
var ofCache = regexp.MustCompile(`^(\..+\.lock|.+-[0-9a-f]{8}(\.new)?)$`)

// makeCache makes the directory of base trees, which have setuid programs that nobody updates: only its owner may enter
// it. One that an older temper has left open is closed; one that has other files too is not, since others need them.
func makeCache(cache string) error {
	err := os.MkdirAll(filepath.Dir(cache), 0o755)
	if err == nil {
		err = os.Mkdir(cache, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(cache)
	if err == nil {
		err = host.Root{}.Trusts(cache, info)
	}
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	entries, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !ofCache.MatchString(e.Name()) {
			return fmt.Errorf("%s: others can enter it (mode %04o) and it has %s, want a directory for base trees alone",
				cache, info.Mode().Perm(), e.Name())
		}
	}
	return host.Root{}.MakePrivate(cache)
}

// Versions returns the version of each package that the suite has; one that it does not have is missing.
func (b Base) Versions(ctx context.Context, packages []string) (map[string]string, error) {
	versions := map[string]string{}
	for len(packages) > 0 {
		part := packages[:min(len(packages), 500)]
		packages = packages[len(part):]
		out, err := run(ctx, b.Tree, append([]string{"apt-cache", "policy", "--"}, part...)...)
		if err != nil {
			return nil, err
		}
		readPolicy(out, versions)
	}
	return versions, nil
}

// readPolicy reads what "apt-cache policy" prints.
func readPolicy(text string, versions map[string]string) {
	name := ""
	for line := range strings.Lines(text) {
		if head, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(line, " ") {
			name = head
		}
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			versions[name] = v
		}
	}
}

// A Layer is a throwaway copy of a base tree.
type Layer struct {
	Dir    string // of the layer alone, which nobody but its owner can enter; what belongs to the layer can be in it
	Tree   string // in Dir
	unlock func()
}

const (
	layerPrefix = "temper-survey-"
	lockName    = "lock" // in the directory of a layer
)

// Layer copies the base tree into a new directory below scratch.
func (b Base) Layer(ctx context.Context, scratch string) (*Layer, error) {
	dir, err := os.MkdirTemp(scratch, layerPrefix)
	if err != nil {
		return nil, err
	}
	l := &Layer{Dir: dir, Tree: filepath.Join(dir, "tree"), unlock: func() {}}
	if err := l.fill(ctx, b); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// fill locks a new layer and copies the base tree into it. The lock gets its name when it is held: [RemoveLeftovers]
// never finds one of a living process that is free.
func (l *Layer) fill(ctx context.Context, b Base) error {
	lock := filepath.Join(l.Dir, lockName)
	unlock, err := host.Root{}.TryLock(lock + ".new")
	if err != nil {
		return err
	}
	l.unlock = unlock
	if err := errors.Join(os.Rename(lock+".new", lock), os.Mkdir(l.Tree, 0o755)); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "cp", "--archive", "--reflink=auto", b.Tree+"/.", l.Tree)
	if _, err := output(ctx, c, "copy the base tree"); err != nil {
		return err
	}
	return os.Chmod(l.Tree, 0o755)
}

// Close removes the layer, and its lock last.
func (l *Layer) Close() error {
	err := errors.Join(os.RemoveAll(l.Tree), os.RemoveAll(l.Dir))
	l.unlock()
	return err
}

// RemoveLeftovers removes the layers below scratch that killed processes have left. What others have made there is left
// alone.
func RemoveLeftovers(scratch string) error {
	dirs, err := filepath.Glob(filepath.Join(scratch, layerPrefix+"*"))
	problems := []error{err}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || (host.Root{}).Trusts(dir, info) != nil {
			continue
		}
		lock := filepath.Join(dir, lockName)
		if _, err := os.Lstat(lock); err != nil {
			continue // it is just being made
		}
		unlock, err := host.Root{}.TryLock(lock)
		if err != nil {
			continue // a living process has it
		}
		l := &Layer{Dir: dir, Tree: filepath.Join(dir, "tree"), unlock: unlock}
		problems = append(problems, l.Close())
	}
	return errors.Join(problems...)
}
