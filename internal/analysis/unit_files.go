package analysis

import (
	"iter"
	"runtime"

	"temper/analyzer/exposure"
	"temper/analyzer/policy"
	"temper/analyzer/report"
	"temper/internal/offline"
	"temper/internal/unit"
)

// Files scores units from their files. If units is empty, it scores all services of the root.
func (a *Analysis) Files(units []string) (iter.Seq[report.Entry], error) {
	harden, err := a.hardening()
	if err != nil {
		return nil, err
	}
	loaded := a.Source.All()
	if len(units) > 0 {
		loaded = a.Source.Named(units)
	}
	return ahead(loaded, units, func(name string, u *unit.Unit, err error) report.Entry {
		if err == nil {
			u, err = harden(u)
		}
		var r exposure.Report
		switch {
		case err != nil:
		case a.Sums:
			r, err = offline.Sum(u, a.Options)
		default:
			r, err = offline.Score(u, a.Options)
		}
		e := a.entry(name, u, r, err)
		if len(units) == 0 && a.invented(u) {
			e.Judgement = policy.Judgement{}
		}
		return a.advise(e, u, len(units))
	}), nil
}

// invented reports whether a unit is the instance that is made up to score a template, and that nothing starts.
func (a *Analysis) invented(u *unit.Unit) bool {
	return u != nil && u.Template() != "" && a.Source.InstanceOf(u.Template()) == u.Name
}

// scorer makes the entry of a unit, or of the error why there is no unit; name is the argument of the user.
type scorer func(name string, u *unit.Unit, err error) report.Entry

// job is one unit to score.
type job struct {
	name string // the argument of the user, "" if there is none
	unit *unit.Unit
	err  error // why there is no unit
	done chan report.Entry
}

// ahead scores units on all processors, a few before they are needed, and yields the entries in the order of the units.
// names are the arguments of the user, if there are any.
func ahead(units iter.Seq2[*unit.Unit, error], names []string, score scorer) iter.Seq[report.Entry] {
	return func(yield func(report.Entry) bool) {
		workers := runtime.GOMAXPROCS(0)
		jobs, order, stop := make(chan job, workers), make(chan job, 4*workers), make(chan struct{})
		defer close(stop)
		for range workers {
			go func() {
				for j := range jobs {
					j.done <- score(j.name, j.unit, j.err)
				}
			}()
		}
		go func() {
			defer close(order)
			defer close(jobs)
			queue(units, names, stop, order, jobs)
		}()
		for j := range order {
			if !yield(<-j.done) {
				return
			}
		}
	}
}

// queue makes a job of each unit and sends it to all channels, until stop is closed.
func queue(units iter.Seq2[*unit.Unit, error], names []string, stop <-chan struct{}, channels ...chan<- job) {
	i := 0
	for u, err := range units {
		j := job{unit: u, err: err, done: make(chan report.Entry, 1)}
		if i < len(names) {
			j.name = names[i]
		}
		i++
		for _, to := range channels {
			select {
			case to <- j:
			case <-stop:
				return
			}
		}
	}
}
