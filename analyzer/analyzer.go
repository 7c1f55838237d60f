// Package analyzer computes how exposed services are, row for row as "systemd-analyze security" does, for any systemd
// version from 247 to 262 and without systemd.
//
// Start with a [Source] and its [Source.Score]: it names a directory that is read as a machine. The reports are values
// of package [temper/analyzer/exposure]. They equal those of "systemd-analyze security --offline=yes --json=short" of
// systemd 252, 257 and 262 to the byte. Up to 249, which had no offline mode, a report is what the running system would
// print. Units of user managers are read as if they were the system's.
//
// The package reads files only. It starts no process and asks no D-Bus, and can be used by several goroutines at once.
package analyzer

import (
	"iter"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/unit"
)

// Source says where unit files are, and as which systemd they are read and scored. The zero value is this machine.
type Source struct {
	Root     string   // a directory that is read as a machine; "" is this machine
	Path     []string // directories with units inside it, the first counts most; nil is the load path of systemd
	Instance string   // what stands for the instance of a template; "" is what systemd-analyze takes

	// Options are those of the score. With Version 0 the systemd that is installed in Root counts, else that of this
	// machine, with its libseccomp, and the newest one where there is none.
	Options exposure.Options
}

// ErrNotFound says that there is no unit of a name. Other errors wrap one of [temper/analyzer/exposure].
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

// ScoreAll scores every service of the source, sorted by name. Aliases and masked units are left out. An error is that
// of one unit, and the next one follows.
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

// ScoreText scores a service that is in no file, without any drop-ins: text is what its unit file would have.
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

// Advise ranks the assignments that would lower the exposure of a service, those that save most first. Each is tried by
// itself, as a last drop-in: what it saves is what the score would fall by.
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

// source is the same for those who know the types of units.
func (s Source) source() (offline.Source, exposure.Options, error) {
	o, err := offline.Complete(host.At(s.Root), s.Options)
	return offline.Source{Root: host.At(s.Root), Path: s.Path, Version: o.Release(), Instance: s.Instance}, o, err
}
