package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/harness/search"
	"temper/internal/refusal"
	"temper/internal/verdict"
	"temper/needs"
)

// ErrBroken says that a service fails without hardening.
var ErrBroken = search.ErrBroken

// A Baseline is what one launch without hardening showed.
type Baseline struct {
	Version     int          // of systemd
	Used        []needs.Need // what it used, after what the options say
	Own         []needs.Need // to write what is its own, whether it did or not; no program was seen
	Lost        uint64       // uses that could not be recorded
	UsesUnknown error        // why nothing, or not all, is known of what it used; nil if all is
	// Demotions are those with which the profile refuses nothing of that.
	Demotions []verdict.Demotion
	Answers   map[string]observe.Facts   // to probes, by socket as clients find it or by name on the bus
	Ages      map[string][]time.Duration // of its processes, at the end of the wait after its start
	Launches  int
}

// LaunchBaseline launches a unit once as its vendor wrote it, and finds out what a profile must not refuse it. An error
// wraps [ErrBroken] if the service fails.
func LaunchBaseline(ctx context.Context, o Options) (b Baseline, err error) {
	ctx, cancel := whileRuns(ctx, o.Place)
	defer cancel()
	r, err := newRun(ctx, o)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, r.series.close(ctx)) }()
	r.series.recordsUses, r.series.recordsFiles = true, o.Files
	result, err := r.launch(ctx, generator.Plan{})
	if err != nil {
		return b, placeError(o.Place, err)
	}
	if !result.OK {
		return b, fmt.Errorf("%s: %w: %s", o.Unit, ErrBroken, result.Failures[0].Text)
	}
	b = Baseline{
		Version: r.input.Version, Used: slices.Concat(o.Used, usesThatCount(result.Uses.Needs)),
		Lost: result.Uses.Lost, UsesUnknown: result.Uses.Unknown,
		Own:     ownDirectories(o.Place, result.Users),
		Answers: byAddress(result.Seen), Ages: result.Seen.Phases["running"].Ages, Launches: 1,
	}
	b.Demotions = search.Allowing(r.input, r.series, slices.Concat(b.Used, b.Own))
	return b, nil
}

// byAddress returns what a launch answered by the address that a client connects to: an observation has names without
// the numbers that may change.
func byAddress(l observe.Launch) map[string]observe.Facts {
	addresses, answers := l.Phases["running"].Addresses, map[string]observe.Facts{}
	for name, facts := range l.Answers {
		answers[cmp.Or(addresses[name], name)] = facts
	}
	return answers
}

// dataDirectories have a directory for each service that keeps something; see hier(7).
var dataDirectories = []string{"/var/cache", "/var/lib", "/var/log", "/var/spool"}

// Users with a number below firstOwnUser are the system's, such as www-data: files of several services are theirs.
const (
	firstOwnUser = 100
	nobody       = 65534
)

// ownDirectories are the directories for data that belong to one of the users as whom a service ran, and those for its
// settings, in /etc and one level below: what they are for is not always seen in one launch.
func ownDirectories(where *place.Place, users map[uint32]bool) (list []needs.Need) {
	isIts := map[uint32]bool{}
	for id := range users {
		isIts[where.IDInside(id)] = true
	}
	now := time.Now()
	var look func(dir string, deeper int)
	look = func(dir string, deeper int) {
		entries, _ := where.Root().ReadDir(dir) // a root without it keeps nothing there
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			s := where.FileState(name)
			switch isOwn := isIts[s.User] && s.User >= firstOwnUser && s.User != nobody; {
			case s.Mode.IsDir() && isOwn:
				list = append(list, needs.Need{
					Kind: refusal.PathReadOnly, Subject: name + "/", Count: 1, First: now, Last: now,
				})
			case s.Mode.IsDir() && deeper > 0:
				look(name, deeper-1)
			}
		}
	}
	for _, dir := range dataDirectories {
		look(dir, 0)
	}
	look("/etc", 1)
	return list
}

// usesThatCount leaves out what says nothing: the processes of a place have other numbers than on this machine, so that
// a file of the service itself in /proc looks like one of another process; directories of many services are there
// always; and the kernel asks for some capabilities in
// passing, also of who does without them. Trials show what the service needs of those.
func usesThatCount(list []needs.Need) []needs.Need {
	uses := func(capability string) bool {
		return slices.ContainsFunc(list, func(n needs.Need) bool { return n.Subject == capability })
	}
	return slices.DeleteFunc(slices.Clone(list), func(n needs.Need) bool {
		including, inPassing := askedInPassing[n.Subject]
		return n.Kind == refusal.ProcessHidden || n.Kind == refusal.PathHidden && blame.IsShared(n.Subject) ||
			n.Kind == refusal.Capability && inPassing && (including == "" || uses(including))
	})
}

// askedInPassing are those capabilities, each with another one that includes it, if there is one.
var askedInPassing = map[string]string{"CAP_SYS_ADMIN": "", "CAP_DAC_READ_SEARCH": "CAP_DAC_OVERRIDE"}
