package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// Errors of [Layer.Install] that are about the packages. Any other is the machine's: no network, no space.
var (
	ErrNotInstallable = errors.New("what it depends on cannot be installed together")
	ErrScript         = errors.New("one of its scripts failed")
)

const noServices = "#!/bin/sh\nexit 101\n" // for invoke-rc.d: nothing is started while packages install

// Install installs packages without starting their services. What was at fault is asked only where that fails, since
// apt takes seconds each time.
func (l *Layer) Install(ctx context.Context, packages ...string) error {
	policy := filepath.Join(l.Tree, "usr/sbin/policy-rc.d")
	if err := os.WriteFile(policy, []byte(noServices), 0o755); err != nil {
		return err
	}
	apt := func(how ...string) error {
		args := append([]string{
			"apt-get", "--quiet", "--yes", "--no-install-recommends", "-o", "Acquire::Check-Valid-Until=false",
			"-o", "Acquire::Retries=3", "-o", "APT::Keep-Downloaded-Packages=false",
			"-o", "DPkg::Options::=--force-unsafe-io", "-o", "DPkg::Options::=--force-confdef",
			"-o", "APT::Sandbox::User=root",
		}, how...)
		_, err := run(ctx, l.Tree, append(append(args, "install", "--"), packages...)...)
		return err
	}
	failed := apt()
	if failed == nil {
		return os.Remove(policy)
	}
	if err := apt("--simulate"); err != nil {
		return about(ErrNotInstallable, err)
	}
	if err := apt("--download-only"); err != nil {
		return fmt.Errorf("download %s: %w", strings.Join(packages, " "), err)
	}
	return about(ErrScript, failed)
}

// about makes the failure of a command an error that is about packages.
func about(what, err error) error {
	if f, ok := errors.AsType[*Failed](err); ok {
		return &packageError{what, f}
	}
	return err
}

type packageError struct {
	what   error
	failed *Failed
}

func (e *packageError) Error() string   { return fmt.Sprintf("%v: %v", e.what, e.failed) }
func (e *packageError) Unwrap() []error { return []error{e.what, e.failed} }

// Units lists the service units that an installed package ships and that can be started by their names: no templates
// and no aliases.
func (l *Layer) Units(pkg string) ([]string, error) {
	files, err := l.filesOf(pkg)
	if err != nil {
		return nil, err
	}
	root := host.At(l.Tree)
	var units []string
	for _, file := range files {
		dir, name := path.Split(file)
		system := dir == "/usr/lib/systemd/system/" || dir == "/lib/systemd/system/"
		if !system || unit.Type(name) != "service" || unit.IsTemplate(name) || !unit.ValidName(name) {
			continue
		}
		info, err := root.Lstat(file)
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 && !slices.Contains(units, name) {
			units = append(units, name)
		}
	}
	slices.Sort(units)
	return units, nil
}

// filesOf lists the files that an installed package ships.
func (l *Layer) filesOf(pkg string) ([]string, error) {
	lists, err := filepath.Glob(filepath.Join(l.Tree, "var/lib/dpkg/info", pkg+":*.list"))
	if err != nil {
		return nil, err
	}
	lists = append([]string{filepath.Join(l.Tree, "var/lib/dpkg/info", pkg+".list")}, lists...)
	for _, name := range lists {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return strings.Fields(string(data)), err
	}
	return nil, fmt.Errorf("dpkg has no list of the files of %s", pkg)
}

// Shell runs a command line in the layer.
func (l *Layer) Shell(ctx context.Context, line string) error {
	_, err := run(ctx, l.Tree, "sh", "-ec", line)
	return err
}

// contents makes "apt-get update" read which package has which file.
const contents = `Acquire::IndexTargets::deb::Contents-deb {
	MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
	ShortDescription "Contents-$(ARCHITECTURE)";
	Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents (deb)";
	flatMetaKey "Contents-$(ARCHITECTURE)";
	flatDescription "$(RELEASE) Contents (deb)";
	PDiffs "true";
	KeepCompressed "false";
	DefaultEnabled "true";
	Identifier "Contents-$(ARCHITECTURE)";
};
`

// WithServices lists the packages of the suite that ship a service unit, as its index of contents says.
func (b Base) WithServices(ctx context.Context, scratch string) ([]string, error) {
	l, err := b.Layer(ctx, scratch)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	conf := filepath.Join(l.Tree, "etc/apt/apt.conf.d/50contents")
	if err := os.WriteFile(conf, []byte(contents), 0o644); err != nil {
		return nil, err
	}
	if _, err := run(ctx, l.Tree, "apt-get", "--quiet", "update", "-o", "Acquire::Check-Valid-Until=false",
		"-o", "APT::Sandbox::User=root"); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(l.Tree, "var/lib/apt/lists/*_Contents-*"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, fmt.Errorf("apt has no index of the contents of %s", b.Suite))
	}
	var packages []string
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		packages = append(packages, servicesIn(bufio.NewScanner(f))...)
		f.Close()
	}
	slices.Sort(packages)
	return slices.Compact(packages), nil
}

// servicesIn lists the packages that ship a service unit, from lines "PATH SECTION/PACKAGE,SECTION/PACKAGE".
func servicesIn(lines *bufio.Scanner) []string {
	var packages []string
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		dir, name := path.Split(strings.TrimPrefix(fields[0], "usr/"))
		if dir != "lib/systemd/system/" || unit.Type(name) != "service" || unit.IsTemplate(name) {
			continue
		}
		for p := range strings.SplitSeq(fields[len(fields)-1], ",") {
			packages = append(packages, path.Base(p))
		}
	}
	return packages
}
