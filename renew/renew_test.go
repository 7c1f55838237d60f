package renew

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/verdict"
)

// machine stands for one whose proofs find what it is told.
type machine struct {
	t         *testing.T
	root      host.Root
	find      func(v *verdict.Verdict) // what a proof finds besides that everything is in order
	proved    []string
	restarted []string
}

func (m *machine) Prove(_ context.Context, units []string) error {
	m.t.Helper()
	m.proved = append(m.proved, units...)
	g, _, err := generator.New(m.root, "")
	if err != nil {
		return err
	}
	for _, name := range units {
		u, err := g.Units.Load(name)
		if err != nil {
			return err
		}
		p, named := g.Profiles.For(u)
		in := g.Input(u, p, named)
		v := verdict.Verdict{Unit: name, Profile: p.Name, Result: verdict.Proven, Systemd: g.Version}
		if v.Fingerprint, err = g.Fingerprint(in); err != nil {
			return err
		}
		if m.find != nil {
			m.find(&v)
		}
		in.Demotions = v.Demotions
		plan := generator.NewPlan(in)
		v.Applied, v.Dropin = plan.Applied(), plan.Text()
		if err := g.Store.Put(v); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) Restart(_ context.Context, unit string) (bool, error) {
	m.restarted = append(m.restarted, unit)
	return true, nil
}

// newMachine makes a root with a service that a profile names, and a run on it.
func newMachine(t *testing.T) (*machine, run, *bytes.Buffer) {
	t.Helper()
	m := &machine{t: t, root: host.At(t.TempDir())}
	m.put("usr/lib/systemd/libsystemd-shared-257.so", "")
	m.put("usr/lib/systemd/system/web.service", "[Service]\nExecStart=/usr/sbin/web\n")
	m.put("usr/sbin/web", "version 1")
	m.put(
		"usr/lib/temper/profiles.d/web.toml",
		"units = [\"web.service\"]\n\n[service]\nNoNewPrivileges = true\nPrivateTmp = true\n",
	)
	said := &bytes.Buffer{}
	return m, run{m.root, m, map[string]verdict.Fingerprint{}, said, said}, said
}

func (m *machine) put(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.root.Dir(), name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

// round runs one, and returns whether there should be another.
func (m *machine) round(r run) bool {
	m.t.Helper()
	var result error
	again, err := r.round(m.t.Context(), &result)
	if err := errors.Join(err, result); err != nil {
		m.t.Fatal(err)
	}
	return again
}

// TestProvesWhatIsStale: a profile without a verdict is proven, and so is each thing that changes, once.
func TestProvesWhatIsStale(t *testing.T) {
	m, r, said := newMachine(t)
	m.put("run/systemd/generator/temper-prove.needed", "web.service\n")
	if again := m.round(r); again || !slices.Equal(m.proved, []string{"web.service"}) {
		t.Fatalf("proved %q, again: %t", m.proved, again)
	}
	if want := "web.service: what was proven takes effect when it is started again\n"; said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
	if _, err := m.root.Stat(needsProofFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file that asked for proofs is left: %v", err)
	}
	for _, text := range []string{"[Service]\nNice=1\n", "[Service]\nNice=2\n"} {
		m.proved = nil
		m.put("etc/systemd/system/web.service.d/override.conf", text)
		m.round(r)
		m.round(r)
		if !slices.Equal(m.proved, []string{"web.service"}) {
			t.Errorf("%q: proved %q, want the unit once", text, m.proved)
		}
	}
}

// TestChangesMeanwhile: what changes while a unit is proven asks for another round, and a unit of which nothing can be
// found out for none.
func TestChangesMeanwhile(t *testing.T) {
	m, r, _ := newMachine(t)
	m.find = func(*verdict.Verdict) { m.put("usr/sbin/web", "version two") }
	if !m.round(r) {
		t.Error("the program has changed meanwhile, and nobody proves it")
	}
	m.find = func(v *verdict.Verdict) { v.Fingerprint.Unit = "another" }
	if m.round(r) {
		t.Error("a unit that stays stale is proven again and again")
	}
}

// TestNeedsMore: that a new version needs more than it is allowed is told, or the service is restarted, as the settings
// want it.
func TestNeedsMore(t *testing.T) {
	for restart, want := range map[string]string{
		"never": "<4>web.service needs what it is forbidden until now (PrivateTmp=). What it needs is allowed once " +
			"it is " +
			"restarted: systemctl restart web.service\n",
		"demoted": "<4>web.service needed what it was forbidden until now (PrivateTmp=), and was restarted with that\n",
	} {
		t.Run(restart, func(t *testing.T) {
			m, r, said := newMachine(t)
			m.put("etc/temper/temper.toml", "restart = \""+restart+"\"\n")
			m.round(r)
			said.Reset()
			m.put("usr/sbin/web", "version two")
			m.find = func(v *verdict.Verdict) {
				v.Demotions = []verdict.Demotion{{Directive: "PrivateTmp", From: "yes", To: verdict.Off}}
			}
			m.round(r)
			if said.String() != want {
				t.Errorf("said %q, want %q", said, want)
			}
			if (len(m.restarted) == 1) != (restart == "demoted") {
				t.Errorf("restarted %q", m.restarted)
			}
		})
	}
}

// shipVerdict has the service proven, and makes the verdict one that a package brought.
func (m *machine) shipVerdict(r run) {
	m.t.Helper()
	m.round(r)
	store := verdict.Store{Root: m.root}
	v, err := store.Get("web.service")
	if err != nil {
		m.t.Fatal(err)
	}
	v.Fingerprint.Systemd, v.Fingerprint.Kernel = 0, ""
	if err := errors.Join(store.Shipped().PutShared(v), store.Remove("web.service")); err != nil {
		m.t.Fatal(err)
	}
}

// TestKeepsShipped: what a package brought and what holds goes on applying when the program changes, also where the
// verdict has gone from the package.
func TestKeepsShipped(t *testing.T) {
	m, r, _ := newMachine(t)
	m.shipVerdict(r)
	m.round(r)
	m.put("usr/sbin/web", "version two")
	if err := os.Remove(filepath.Join(m.root.Dir(), "usr/lib/temper/verdicts/web.service.json")); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	generator.Run(m.root, "", out)
	text, _ := os.ReadFile(filepath.Join(out, "web.service.d/50-temper.conf"))
	if !strings.Contains(string(text), "PrivateTmp=yes") {
		t.Errorf("the drop-in is %q", text)
	}
}

// TestAsksForACopy: a boot asks for a copy of what a package brought, once.
func TestAsksForACopy(t *testing.T) {
	m, r, _ := newMachine(t)
	m.shipVerdict(r)
	asks := func() bool {
		out := t.TempDir()
		generator.Run(m.root, "", out)
		_, err := os.Stat(filepath.Join(out, generator.NeedsProofFile))
		return err == nil
	}
	if !asks() {
		t.Error("nobody is asked for a copy")
	}
	m.proved = nil
	m.round(r)
	if asks() || len(m.proved) > 0 {
		t.Errorf("asks again: %t; proved %q", asks(), m.proved)
	}
}

// TestConfirmsShipped: what a package brought applies, and is proven here where a configuration file of the service is
// not the package's. What that finds counts, and one attempt is enough.
func TestConfirmsShipped(t *testing.T) {
	for _, tc := range []struct {
		name, file, config string
		find               func(*verdict.Verdict)
		proved             bool
	}{
		{"as the package has it", "/etc/web.conf", "port 80\n", nil, false},
		{"changed", "/etc/web.conf", "port 81\n", nil, true},
		{"needs more", "/etc/web.conf", "port 81\n", func(v *verdict.Verdict) {
			v.Demotions = []verdict.Demotion{{Directive: "PrivateTmp", From: "yes", To: verdict.Off}}
		}, true},
		{"of another package", "/etc/other.conf", "port 81\n", nil, false},
		{"given up by the package", "/etc/old.conf", "port 81\n", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, r, said := newMachine(t)
			m.put("etc/web.conf", "port 80\n")
			m.put("etc/other.conf", "port 80\n")
			m.put("var/lib/dpkg/info/web:amd64.list", "/.\n/lib/systemd/system/web.service\n/usr/sbin/web\n")
			m.put("var/lib/dpkg/info/other.list", "/.\n/usr/sbin/other\n")
			m.put("var/lib/dpkg/status", "Package: other\nConffiles:\n /etc/other.conf "+md5of("port 80\n")+"\n\n"+
				"Package: web\nStatus: install ok installed\nConffiles:\n /etc/web.conf "+md5of("port 80\n")+
				"\n /etc/old.conf "+md5of("port 80\n")+" obsolete\nDescription: a\n b\n")
			m.shipVerdict(r)
			m.proved, m.find = nil, tc.find
			m.put(strings.TrimPrefix(tc.file, "/"), tc.config)
			said.Reset()
			r.tried = map[string]verdict.Fingerprint{}
			m.round(r)
			if (len(m.proved) == 1) != tc.proved || tc.proved != strings.Contains(said.String(), tc.file) {
				t.Errorf("proved %q and said %q", m.proved, said)
			}
			v, err := verdict.Store{Root: m.root}.Get("web.service")
			demoted := len(v.Demotions) == 1
			if err != nil || v.Fingerprint.Shipped() == tc.proved || demoted != (tc.name == "needs more") {
				t.Errorf("stored is %+v, %v", v, err)
			}
			m.proved, r.tried = nil, map[string]verdict.Fingerprint{}
			if m.round(r); len(m.proved) > 0 {
				t.Errorf("it is confirmed again")
			}
		})
	}
}

func md5of(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }

// TestConfirmationFails: it is kept beside what the package brought, which applies, and is not tried again.
func TestConfirmationFails(t *testing.T) {
	m, r, _ := newMachine(t)
	m.put("var/lib/dpkg/info/web.list", "/usr/sbin/web\n")
	m.put("var/lib/dpkg/status", "Package: web\nConffiles:\n /etc/web.conf "+md5of("port 80\n")+"\n")
	m.shipVerdict(r)
	r.tried = map[string]verdict.Fingerprint{}
	store := verdict.Store{Root: m.root}
	m.proved = nil
	m.find = func(v *verdict.Verdict) { // as temper/harness/batch stores it
		old, err := store.Shipped().Get("web.service")
		if err != nil {
			t.Error(err)
		}
		old.LastAttempt = &verdict.Attempt{Result: verdict.BrokenBaseline, Fingerprint: v.Fingerprint}
		*v = old
	}
	m.round(r)
	r.tried = map[string]verdict.Fingerprint{}
	m.round(r)
	if len(m.proved) != 1 {
		t.Errorf("proved %d times", len(m.proved))
	}
	out := t.TempDir()
	generator.Run(m.root, "", out)
	text, _ := os.ReadFile(filepath.Join(out, "web.service.d/50-temper.conf"))
	if !strings.Contains(string(text), "PrivateTmp=yes") {
		t.Errorf("the drop-in is %q", text)
	}
}

// TestFirstChangedByRPM reads what rpm(8) prints.
func TestFirstChangedByRPM(t *testing.T) {
	for output, want := range map[string]string{
		"": "",
		".......T.  c /etc/a.conf\nS.5....T.    /usr/bin/a\n":  "",
		".......T.  c /etc/a.conf\nS.5....T.  c /etc/b conf\n": "/etc/b conf",
		"missing   c /etc/c.conf\n":                            "/etc/c.conf",
		"file /usr/sbin/web is not owned by any package\n":     "",
	} {
		if got := firstChangedByRPM(output); got != want {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}
