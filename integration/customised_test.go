package integration_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// wholeMachine has all services of the customised machines proven; `make test-customised` does.
var wholeMachine = flag.Bool("customised", false, "prove all services of testdata/customised")

// customised are services that testdata/customised configures otherwise than Debian does, by the tree that has them,
// and those that every test run proves.
var (
	customised = map[string][]string{
		"common-trixie": {
			"beanstalkd", "chrony", "dnsmasq", "haproxy", "lighttpd", "memcached", "mosquitto", "nginx", "redis-server",
			"rsync", "ssh", "tftpd-hpa", "unbound", "vsftpd",
		},
		"stack-trixie": {"apache2", "postgresql@17-main"},
	}
	customisedQuick = []string{"memcached", "nginx", "rsync"}
)

// TestSystemdCustomised: what we ship is proven on a machine that is configured otherwise than Debian does, with
// nothing demoted and at least half of its checks.
func TestSystemdCustomised(t *testing.T) {
	t.Parallel()
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for tree, names := range customised {
		script, err := os.ReadFile("../testdata/customised/" + tree)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !*wholeMachine && !slices.Contains(customisedQuick, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := proveCustomised(t, set, testroot.Path(t, tree), string(script), name+".service")
				t.Log(v.Summary(), v.Unchecked())
				if v.Result != verdict.Proven || len(v.Demotions) > 0 || 2*v.Use.Ran() < len(v.Use.Checks) {
					t.Errorf("%s, %s, demotions %+v", v.Summary(), v.Reason, v.Demotions)
				}
			})
		}
	}
}

// proveCustomised proves a unit in places of a tree in which a script has run.
func proveCustomised(t *testing.T, set *profiles.Set, tree, script, unit string) verdict.Verdict {
	boot := func(ctx context.Context) (*place.Place, error) {
		where, err := place.Container(ctx, place.Options{Image: tree})
		if err != nil {
			return nil, err
		}
		r, err := where.Run(ctx, place.Command{Args: []string{"/bin/sh", "-ec", script}, Timeout: time.Minute})
		if err == nil && r.Status != 0 {
			err = fmt.Errorf("configure the machine: status %d, %s", r.Status, strings.TrimSpace(r.Stderr))
		}
		if err != nil { // also that nobody waits for the place any more
			return nil, errors.Join(err, where.Close())
		}
		return where, nil
	}
	where, err := boot(t.Context())
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer where.Close()
	v, err := harness.Prove(t.Context(), harness.Options{
		Place: where, NewPlace: boot, Profiles: set, Unit: unit, Progress: func(s string) { t.Log(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
