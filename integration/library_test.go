package integration_test

import (
	"context"
	"testing"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// proved are the profiles of the library that every test run proves: those that are quick, and different from each
// other. `make prove-library` proves them all.
var proved = []string{
	"atd",
	"beanstalkd",
	"cron",
	"nginx",
	"redis-server",
	"rpcbind",
	"rsync",
	"ssh",
	"tftpd-hpa",
	"uptimed",
}

// TestSystemdLibrary: what we ship works as it is on the Debian of today, with nothing demoted.
func TestSystemdLibrary(t *testing.T) {
	t.Parallel()
	tree := testroot.Path(t, "common-trixie")
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, name := range proved {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, ok := set.Get(name)
			if !ok {
				t.Fatal("it is not in the library")
			}
			boot := func(ctx context.Context) (*place.Place, error) {
				return place.Container(ctx, place.Options{Image: tree})
			}
			where, err := boot(t.Context())
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer where.Close()
			v, err := harness.Prove(
				t.Context(),
				harness.Options{Place: where, NewPlace: boot, Profiles: set, Unit: p.Units[0]},
			)
			if err != nil || v.Result != verdict.Proven || len(v.Demotions) > 0 ||
				v.Exposure.After > v.Exposure.Before {
				t.Errorf(
					"%v, verdict %s, %s, exposure %.1f -> %.1f, demotions %+v",
					err,
					v.Result,
					v.Reason,
					v.Exposure.Before,
					v.Exposure.After,
					v.Demotions,
				)
			}
		})
	}
}
