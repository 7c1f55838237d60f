package harness

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/testroot"
)

// TestBootingPlace: a place boots while the caller does something else, a boot that nobody waits for is stopped, and
// waiting ends with the proof.
func TestBootingPlace(t *testing.T) {
	want := &place.Place{}
	b := bootPlace(t.Context(), func(context.Context) (*place.Place, error) { return want, nil })
	if got, err := b.take(t.Context()); got != want || err != nil {
		t.Errorf("took %p, %v; want %p", got, err, want)
	}

	broken := errors.New("it does not boot")
	b = bootPlace(t.Context(), func(context.Context) (*place.Place, error) { return nil, broken })
	if _, err := b.take(t.Context()); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}

	slow := func(ctx context.Context) (*place.Place, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Minute):
			return want, nil
		}
	}
	b = bootPlace(t.Context(), slow)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.take(over); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the proof is over", err)
	}
	begin := time.Now()
	if err := b.discard(); err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

// TestSystemdFilesOfOthers: a service has made the files of its own users and those of root, and not those of a user as
// whom only another service runs meanwhile.
func TestSystemdFilesOfOthers(t *testing.T) {
	t.Parallel()
	where, err := place.Container(t.Context(), place.Options{Image: testroot.Path(t, "trixie")})
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	since := time.Now()
	const script = `install -d -m 1777 /srv/made
		systemd-run --quiet --unit=other --property=User=games --property=Type=notify --property=NotifyAccess=all \
			sh -c 'echo > /srv/made/theirs; systemd-notify --ready; exec sleep infinity'
		runuser -u daemon -- touch /srv/made/ours
		touch /srv/made/of-root`
	r, err := where.Run(t.Context(), place.Command{Args: []string{"sh", "-ec", script}, Timeout: time.Minute})
	if err != nil || r.Status != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	user := func(name string) uint32 {
		info, err := where.Root().Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Uid
	}
	root, daemon, games := user("/srv/made/of-root"), user("/srv/made/ours"), user("/srv/made/theirs")
	for _, tc := range []struct {
		own  []uint32
		want []string
	}{
		{[]uint32{root, daemon}, []string{"/srv/made", "/srv/made/of-root", "/srv/made/ours"}},
		{[]uint32{root, games}, []string{"/srv/made", "/srv/made/of-root", "/srv/made/ours", "/srv/made/theirs"}},
		{nil, []string{"/srv/made", "/srv/made/of-root", "/srv/made/ours", "/srv/made/theirs"}},
	} {
		made, err := where.ChangedSince(since)
		if err != nil {
			t.Fatal(err)
		}
		own := map[uint32]bool{}
		for _, u := range tc.own {
			own[u] = true
		}
		made = readyPlace{Place: where}.withoutFilesOfOthers(made, own)
		made = slices.DeleteFunc(made, func(name string) bool { return !strings.HasPrefix(name, "/srv/made") })
		slices.Sort(made)
		if diff := cmp.Diff(tc.want, made); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.own, diff)
		}
	}
}
