// Package inforce says of services whether the hardening that temper decided on is in force in the processes that run
// now.
//
// Call [List]. It is pure but for its [Machine], which reads a running systemd and /proc; without one, on the root of
// another machine, a service counts as one that starts at the next boot.
package inforce

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/refusallog"
	"temper/internal/verdict"
)

// A State says how a service stands.
type State string

// The states, in the order in which they are printed.
const (
	Hardened      State = "hardened"       // its process runs with what was decided
	RestartNeeded State = "restart-needed" // its process started before what was decided, and runs without it
	AtNextStart   State = "at-next-start"  // it does not run, and will be hardened when it starts
	Broken        State = "broken"         // nothing is applied, since an attempt to prove it has failed
	Draft         State = "draft"          // its profile is a draft, which is never applied
	NotHardened   State = "not-hardened"   // nothing is applied, for another reason
	NoProfile     State = "no-profile"     // no profile matches it
)

// A Service is a service and how it stands.
type Service struct {
	verdict.Verdict
	State      State             `json:"state"`
	Why        string            `json:"why"`
	Command    string            `json:"command,omitempty"` // what to type next, "" if nothing
	Now        float64           `json:"exposure_now"`      // as temper analyze computes it
	NotInForce map[string]string `json:"not_in_force,omitempty"`
	// Refused counts what temper watch has seen refused to the service; nil if it was never watched.
	Refused *refusallog.Summary `json:"refused,omitempty"`
	// Log is the end of what the service logged in the last attempt to prove it, where that failed.
	Log []string `json:"log,omitempty"`
	// Observed says since when temper observe has recorded its needs; empty if it has not.
	Observed string `json:"observed_since,omitempty"`
}

// Running is what a machine shows of a service.
type Running struct {
	Active bool
	Main   bool // it has a main process, which the next fields are about
	// Since says that the process was certainly started with the drop-in that systemd has now.
	Since    bool
	Holds    []string          // directives of the plan that are seen to hold for the process
	Missing  map[string]string // those that are seen not to hold, and what was seen instead
	Demoted  []string          // directives that still hold for it as they were before their demotion
	Loaded   string            // the drop-in of temper that systemd has loaded, "" if none
	Exposure float64
}

// A Machine is a running system.
type Machine interface {
	// Read reads what is seen of a service, compared with a plan for it and with the demotions of its verdict.
	Read(ctx context.Context, unit string, plan generator.Plan, v verdict.Verdict) (Running, error)
	// Services lists the services that run, by the name under which systemd knows them.
	Services(ctx context.Context) ([]string, error)
}

// Of returns how a service stands. r is nil where nothing runs, as in the root of another machine.
func Of(d generator.Decision, v verdict.Verdict, r *Running) Service {
	s := Service{Verdict: v, Why: d.Why}
	s.Unit = d.Unit
	switch {
	case d.Profile == nil && !d.Hardens():
		s.State = NoProfile
	case d.Hardens():
		s.hardened(d, r)
	case r != nil && r.Main && strings.Contains("\n"+r.Loaded, "\n[Service]\n"):
		s.State = RestartNeeded
		s.Why += "; systemd has not read that yet"
	case r != nil && r.Main && len(r.Holds) > 0 && len(r.Missing) == 0 && len(d.Plan.Items) > 1:
		s.State = RestartNeeded
		s.Why += "; its process still runs with what was applied before"
	case d.By == generator.ByDraft:
		s.State = Draft
	default:
		s.notHardened(d)
	}
	if r != nil {
		s.Now = r.Exposure
	}
	s.Command = s.next(d.By)
	return s
}

// byPerson are the rules by which somebody keeps a unit without hardening: no command of temper changes that.
var byPerson = []generator.Rule{generator.ByDropin, generator.ByExclude, generator.ByOffSwitch}

// hardened says how a service stands that is to run hardened.
func (s *Service) hardened(d generator.Decision, r *Running) {
	s.State = Hardened
	switch {
	case r == nil:
		s.State = AtNextStart
		s.Why += "; hardened at the next boot"
	case !r.Active:
		s.State = AtNextStart
		s.Why += "; does not run, hardened when it starts"
	case !sameSettings(r.Loaded, d.Text):
		s.State = RestartNeeded
		s.Why += "; systemd has not read what is decided now"
	case len(r.Demoted) > 0:
		s.State = RestartNeeded
		s.Why += "; its process is still forbidden what it needs: " + names(r.Demoted)
	case r.Since && len(r.Missing) > 0:
		s.NotInForce = r.Missing
		s.Why += "; not in force here: " + names(slices.Sorted(maps.Keys(r.Missing)))
	case r.Since:
	case len(r.Missing) > 0:
		s.State, s.NotInForce = RestartNeeded, r.Missing
		s.Why += "; runs without " + names(slices.Sorted(maps.Keys(r.Missing)))
	case len(r.Holds) == 0:
		s.State = RestartNeeded
		s.Why += "; may run without it"
	}
}

// sameSettings reports whether two drop-ins differ in nothing but comments: that of a template names the template.
func sameSettings(a, b string) bool {
	return slices.Equal(settings(a), settings(b))
}

func settings(dropin string) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(dropin), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "#")
	})
}

// notHardened says how a service stands to which nothing is applied.
func (s *Service) notHardened(d generator.Decision) {
	s.State = NotHardened
	switch v := d.Verdict; {
	case v == nil:
	case slices.Contains([]string{
		verdict.Broken, verdict.BrokenBaseline, verdict.Flaky, verdict.Inconclusive,
	}, v.Result):
		s.State = Broken
		if v.Reason != "" && !v.Stale {
			s.Why = v.Result + ": " + v.Reason
		}
	}
}

// next is the command that changes how a service stands; "" if there is none or nothing needs to change.
func (s *Service) next(by generator.Rule) string {
	switch s.State {
	case RestartNeeded:
		return "sudo temper apply " + s.Unit
	case Broken:
		if s.Stale {
			return "sudo temper prove " + s.Unit
		}
		return "sudo temper show " + s.Unit
	case NotHardened, Draft:
		isOpen := s.Result == "" || s.Stale || s.Result == verdict.Revoked
		if isOpen && !slices.Contains(byPerson, by) {
			return "sudo temper prove " + s.Unit
		}
	}
	return ""
}

// shown is how many directives are named in one line.
const shown = 2

// names lists directives, and counts those that would make the line long.
func names(list []string) string {
	var b strings.Builder
	for i, name := range list[:min(len(list), shown)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + "=")
	}
	if more := len(list) - shown; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
