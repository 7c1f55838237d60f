// Package analyzer computes how exposed services are, row for row as "systemd-analyze security" does, for any systemd
// version from 247 to 262 and without systemd.
//
// Start with a [Source], which names a directory that is read as a machine, and its [Source.Score]. The reports are
// values of package [temper/analyzer/exposure]. Printed as JSON, they equal byte for byte what "systemd-analyze
// security --offline=yes --json=short" of systemd 252, 257 and 262 prints. Systemd 249 and older have no offline mode:
// there a report is what systemd-analyze prints for the running system. Units of user managers are read as if they were
// units of the system manager.
//
// The package reads files only. It starts no process, does not use D-Bus, and can be used by several goroutines at
// once.
package analyzer

import (
	"iter"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/unit"
)

// Source says where unit files are, and which systemd version reads and scores them. The zero value is this machine.
type Source struct {
	Root     string   // a directory that is read as a machine; "" is this machine
	Path     []string // directories with units inside Root, the first counts most; nil is the load path of systemd
	Instance string   // the instance name given to a template; "" is the one that systemd-analyze uses

	// Options are the options of the score. Version 0 is the systemd installed in Root; if there is none, that of this
	// machine with its libseccomp; if there is none either, the newest.
	Options exposure.Options
}

// ErrNotFound says that there is no unit of that name. Other errors wrap an error of [temper/analyzer/exposure].
var ErrNotFound = unit.ErrNotFound

// Score scores a service by its name, such as "nginx" or "nginx.service", or by the path of its unit file inside the
// root.
func (s Source) Score(name string) (exposure.Report, error) {
	u, o, err := s.load(name)
	if err != nil {
		return exposure.Report{}, err
	}
	return offline.Score(u, o)
}

// ScoreAll scores every service of the source, sorted by name. Aliases and masked units are left out. An error concerns
// one unit only; the iteration goes on with the next.
func (s Source) ScoreAll() iter.Seq2[exposure.Report, error] {
	return func(yield func(exposure.Report, error) bool) {
		src, o, err := s.source()
		if err != nil {
			yield(exposure.Report{}, err)
			return
		}
		for u, err := range src.All() {
			var r exposure.Report
			if err == nil {
				r, err = offline.Score(u, o)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// ScoreText scores a service that has no file and no drop-ins: text is the content of its unit file.
func (s Source) ScoreText(name, text string) (exposure.Report, error) {
	_, o, err := s.source()
	if err != nil {
		return exposure.Report{}, err
	}
	assignments, problems, err := unit.Parse(name, strings.NewReader(text))
	if err != nil {
		return exposure.Report{}, err
	}
	return offline.Score(
		&unit.Unit{Name: name, ID: name, Fragment: name, Assignments: assignments, Problems: problems},
		o,
	)
}

// Advise ranks the assignments that would lower the exposure of a service, those that lower it most first. Each is
// tried alone, as the last drop-in: Saves is by how much the score falls.
func (s Source) Advise(name string) ([]exposure.Advice, error) {
	u, o, err := s.load(name)
	if err != nil {
		return nil, err
	}
	return offline.Advise(u, o)
}

func (s Source) load(name string) (*unit.Unit, exposure.Options, error) {
	src, o, err := s.source()
	if err != nil {
		return nil, o, err
	}
	u, err := src.One(name)
	return u, o, err
}

// source translates s into the types of the internal packages.
func (s Source) source() (offline.Source, exposure.Options, error) {
	o, err := offline.Complete(host.At(s.Root), s.Options)
	return offline.Source{Root: host.At(s.Root), Path: s.Path, Version: o.Release(), Instance: s.Instance}, o, err
}
