package survey

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"temper/survey/results"
)

// Running is what a running survey says of itself, in a file beside its results.
type Running struct {
	Machine  string            `json:"machine"`
	PID      int               `json:"pid"`
	Shard    string            `json:"shard"`
	Began    time.Time         `json:"began"`
	Now      time.Time         `json:"now"`
	Total    int               `json:"total"` // packages
	Done     int               `json:"done"`
	Fresh    int               `json:"fresh"`    // of those done: their results were there
	Units    map[string]int    `json:"units"`    // outcomes of the units that were tried
	UnderWay map[string]string `json:"underway"` // packages, each with its newest step
}

// Left estimates how long the survey still takes; 0 if nothing is known yet.
func (r Running) Left() time.Duration {
	tried := r.Done - r.Fresh
	if tried < 1 {
		return 0
	}
	return r.Now.Sub(r.Began) / time.Duration(tried) * time.Duration(r.Total-r.Done)
}

const (
	runningPrefix = "running."
	writeEvery    = time.Second
)

// A Recorder is a [Report] that keeps the file of a running survey and passes everything on.
type Recorder struct {
	next Report
	file string

	mu      sync.Mutex
	state   Running
	written time.Time
}

// Record begins the file of a survey whose results go to a directory.
func Record(o Options, next Report) *Recorder {
	name := fmt.Sprintf("%s%s.%d.json", runningPrefix, o.Machine.Name, os.Getpid())
	return &Recorder{next: next, file: filepath.Join(string(o.Out), name), state: Running{
		Machine: o.Machine.Name, PID: os.Getpid(), Shard: o.Shard.String(), Began: time.Now(), Total: len(o.Mine()),
		Units: map[string]int{}, UnderWay: map[string]string{},
	}}
}

// Close removes the file.
func (r *Recorder) Close() error {
	if err := os.Remove(r.file); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// change changes the state and writes it, at most once a second.
func (r *Recorder) change(f func(s *Running)) Running {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.state)
	r.state.Now = time.Now()
	if time.Since(r.written) >= writeEvery {
		r.written = time.Now()
		data, err := json.MarshalIndent(r.state, "", "  ")
		if err == nil {
			err = os.MkdirAll(filepath.Dir(r.file), 0o755)
		}
		if err == nil {
			err = renameio.WriteFile(r.file, append(data, '\n'), 0o644)
		}
		if err != nil {
			r.next.Warn(fmt.Errorf("write the state of the survey: %w", err))
		}
	}
	return r.state
}

// Step notes the newest step of a package.
func (r *Recorder) Step(pkg, text string) {
	r.change(func(s *Running) { s.UnderWay[pkg] = text })
	r.next.Step(pkg, text)
}

// Unit counts the outcome of a unit.
func (r *Recorder) Unit(u results.Unit) {
	r.change(func(s *Running) { s.Units[u.Outcome]++ })
	r.next.Unit(u)
}

// Package counts a package.
func (r *Recorder) Package(p results.Package) {
	r.change(func(s *Running) {
		if _, tried := s.UnderWay[p.Package]; !tried {
			s.Fresh++
		}
		s.Done++
		delete(s.UnderWay, p.Package)
	})
	r.next.Package(p)
}

// Warn passes a warning on.
func (r *Recorder) Warn(err error) { r.next.Warn(err) }

// State is what the survey would write now.
func (r *Recorder) State() Running { return r.change(func(*Running) {}) }

// ReadRunning reads what the surveys say that run now, or were killed, with their results in a directory.
func ReadRunning(dir results.Dir) ([]Running, error) {
	files, err := filepath.Glob(filepath.Join(string(dir), runningPrefix+"*.json"))
	if err != nil {
		return nil, err
	}
	var list []Running
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just ended
		}
		var r Running
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			return list, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Running) int { return strings.Compare(a.Shard+a.Machine, b.Shard+b.Machine) })
	return list, nil
}
