package place_test

import (
	"context"
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

func TestSystemdBoot(t *testing.T) {
	for name := range testroot.Versions {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			p, err := place.Container(context.Background(), place.Options{Image: testroot.Path(t, name), Log: nil})
			if err != nil {
				t.Fatalf("%v; hint: %s", err, hint.Of(err))
			}
			t.Log("booted in", time.Since(begin), p, p.Leader(), p.Cgroup(), p.Root())
			begin = time.Now()
			r, err := p.Run(context.Background(), place.Command{Args: []string{"sh", "-c", "id; cat; systemctl --failed --no-legend; echo x >&2; exit 3"}, Stdin: "hi"})
			t.Log(r, err, time.Since(begin))
			begin = time.Now()
			t.Log(p.Close(), time.Since(begin))
		})
	}
}

func TestSystemdOwn(t *testing.T) {
	testroot.Need(t)
	begin := time.Now()
	p, err := place.Container(context.Background(), place.Options{Log: t.Output()})
	if err != nil {
		t.Fatalf("%v; hint: %s", err, hint.Of(err))
	}
	t.Log("booted in", time.Since(begin), p, p.Leader(), p.Cgroup(), p.Root())
	r, err := p.Run(context.Background(), place.Command{Args: []string{"sh", "-c", "df; hostname; cat /etc/machine-id"}})
	t.Log(r.Stdout, err)
	t.Log(p.Close())
}
