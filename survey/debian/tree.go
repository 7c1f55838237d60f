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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Base{}, err
	}
	unlock, err := lock(filepath.Join(cache, "."+suite+".lock"), unix.LOCK_EX)
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

// lock locks a file, which it makes if it is not there.
func lock(name string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
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
	Tree   string
	unlock func()
}

const layerPrefix = "temper-survey-"

// Layer copies the base tree into a new directory below scratch.
func (b Base) Layer(ctx context.Context, scratch string) (*Layer, error) {
	tree, err := os.MkdirTemp(scratch, layerPrefix)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(tree+".lock", unix.LOCK_EX)
	l := &Layer{Tree: tree, unlock: unlock}
	if err != nil {
		return nil, errors.Join(err, os.Remove(tree))
	}
	c := exec.CommandContext(ctx, "cp", "--archive", "--reflink=auto", b.Tree+"/.", tree)
	if _, err := output(ctx, c, "copy the base tree"); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := os.Chmod(tree, 0o755); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close removes the layer.
func (l *Layer) Close() error {
	err := os.RemoveAll(l.Tree)
	err = errors.Join(err, os.Remove(l.Tree+".lock"))
	l.unlock()
	return err
}

// RemoveLeftovers removes the layers below scratch that killed processes have left.
func RemoveLeftovers(scratch string) error {
	locks, err := filepath.Glob(filepath.Join(scratch, layerPrefix+"*.lock"))
	problems := []error{err}
	for _, name := range locks {
		unlock, err := lock(name, unix.LOCK_EX|unix.LOCK_NB)
		if err != nil {
			continue // a living process has it
		}
		l := &Layer{Tree: strings.TrimSuffix(name, ".lock"), unlock: unlock}
		problems = append(problems, l.Close())
	}
	return errors.Join(problems...)
}
