package export_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"temper/export"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
)

const fragment = `[Unit]
Description=A web server

[Service]
ExecStart=/usr/sbin/web \
# of two lines
  --foreground
PrivateTmp=no
ProtectSystem=full

[Install]
WantedBy=multi-user.target
`

const dropin = `# Written by temper

[Service]
ProtectSystem=strict
ReadWritePaths=-/srv/100%%
PrivateTmp=disconnected
SystemCallFilter=@system-service
SystemCallFilter=~@keyring
`

// source is a proven verdict on a unit with this text, and with drop-ins of the vendor.
func source(t *testing.T, fragment string, dropins ...string) export.Source {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, "usr/lib/systemd/system", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("web.service", fragment)
	for _, text := range dropins {
		write("web.service.d/vendor.conf", text)
	}
	u, err := (&unit.Loader{Root: host.At(dir), Version: 257}).Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	v := verdict.Verdict{
		Unit: "web.service", Result: verdict.Proven, Place: "container", Systemd: 257, Trials: 5,
		Exposure: verdict.Exposure{Before: 9.2, After: 3.1}, Dropin: dropin,
		Demotions: []verdict.Demotion{
			{
				Directive: "MemoryDenyWriteExecute", From: "yes", To: verdict.Off, Reason: "refused mprotect",
				Evidence: []verdict.Evidence{{Kind: "kernel", Text: "mprotect\nExecStart=/bin/false \x1b[31m"}},
			},
			{Directive: "PrivateTmp", From: "yes", To: "disconnected", Reason: "why not"},
		},
		LeftOut:     []verdict.LeftOut{{Directive: "ProtectHome", Reason: "the unit already sets yes"}},
		Fingerprint: verdict.Fingerprint{Profile: "p", Unit: verdict.Digest(u)},
	}
	return export.Source{Unit: u, Fragment: fragment, Verdict: v, Checks: []string{"serves a page"}}
}

func exported(t *testing.T, from export.Source, as string) string {
	t.Helper()
	h, err := export.New(from)
	if err != nil {
		t.Fatal(err)
	}
	text, err := export.Forms[as](h)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDropin: the drop-in assigns what the verdict's assigns and says why; what a service has said stays a comment.
func TestDropin(t *testing.T) {
	text := exported(t, source(t, fragment), "dropin")
	got, problems, err := unit.Parse("got", strings.NewReader(text))
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v: %s", problems, err, text)
	}
	want, _, _ := unit.Parse("want", strings.NewReader(dropin))
	if unit.Text(got) != unit.Text(want) {
		t.Errorf("assigns\n%s\nwant\n%s", unit.Text(got), unit.Text(want))
	}
	for _, part := range []string{
		"exposure of systemd-analyze security 9.2 -> 3.1.",
		"# Tried with systemd 257 in a container: web.service launched 5 times, without hardening and with\n",
		"passed: serves a page.", "Since systemd\n# 257. Not stronger, because PrivateTmp=yes breaks the service: why not.\n",
		"# MemoryDenyWriteExecute=yes breaks the service: refused mprotect.\n" +
			"#     kernel: mprotect ExecStart=/bin/false \\x1b[31m",
		"# ProtectHome=: the unit already sets yes\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// TestPatch: patch(1) and git apply turn the vendor's unit into one that assigns what the unit with the drop-in does.
func TestPatch(t *testing.T) {
	text := exported(t, source(t, fragment), "patch")
	const want = `[Unit]
Description=A web server

[Service]
ExecStart=/usr/sbin/web \
# of two lines
  --foreground
PrivateTmp=disconnected
ProtectSystem=strict
ReadWritePaths=-/srv/100%%
SystemCallFilter=@system-service
SystemCallFilter=~@keyring

[Install]
WantedBy=multi-user.target
`
	dir := t.TempDir()
	file := filepath.Join(dir, "web.service")
	if err := os.WriteFile(file, []byte(fragment), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("git", "apply", "-")
	c.Dir, c.Stdin = dir, strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, text)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%v, patched to\n%s\nwant\n%s\nby\n%s", err, got, want, text)
	}
}

// TestPatchOfLastLine: a unit whose last line continues, is the last of the file and has no newline.
func TestPatchOfLastLine(t *testing.T) {
	for _, text := range []string{
		"[Service]\nExecStart=/usr/sbin/web \\\n  --foreground",
		"[Service]\nExecStart=/usr/sbin/web\nPrivateTmp=\\\nno\n[Unit]\nAfter=x.service\n",
		"[Service]\nExecStart=/usr/sbin/web\n[Unit]\nAfter=x.service\n[Service]\nUser=web\n",
	} {
		from := source(t, text)
		patch := exported(t, from, "patch")
		dir := t.TempDir()
		file := filepath.Join(dir, "web.service")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("git", "apply", "-")
		c.Dir, c.Stdin = dir, strings.NewReader(patch)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\n%s", err, out, patch)
		}
		patched, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		hardened, err := from.Unit.With(export.Dropin, dropin)
		if err != nil {
			t.Fatal(err)
		}
		again := source(t, string(patched)).Unit
		for _, name := range []string{"ExecStart", "PrivateTmp", "ProtectSystem", "User", "SystemCallFilter"} {
			got, _ := again.Last("Service", name)
			if want, _ := hardened.Last("Service", name); got.Value != want.Value {
				t.Errorf("%s=%s, want %s, in\n%s", name, got.Value, want.Value, patched)
			}
		}
	}
}

// TestPatchRefuses: where a drop-in of the unit assigns the same, a patch to the fragment would not hold.
func TestPatchRefuses(t *testing.T) {
	h, err := export.New(source(t, fragment, "[Service]\nPrivateTmp=no\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = export.Forms["patch"](h)
	if err == nil || !strings.Contains(err.Error(), "vendor.conf:2: sets PrivateTmp=") {
		t.Errorf("%v", err)
	}
}

// TestRefuses: only what was proven of the unit as it is comes out.
func TestRefuses(t *testing.T) {
	for name, change := range map[string]func(*export.Source){
		"is flaky, not proven":        func(s *export.Source) { s.Verdict.Result = verdict.Flaky },
		"applies nothing":             func(s *export.Source) { s.Verdict.Dropin = "" },
		"has changed since it was pr": func(s *export.Source) { s.Verdict.Fingerprint.Unit = "other" },
		"the drop-in in the verdict":  func(s *export.Source) { s.Verdict.Dropin = "[Service\nPrivateTmp=yes\n" },
	} {
		from := source(t, fragment)
		change(&from)
		if _, err := export.New(from); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNix: nothing in a value is syntax of Nix.
func TestNix(t *testing.T) {
	from := source(t, fragment)
	from.Verdict.Dropin = "[Service]\nReadWritePaths=\"/a b\" ${HOME} \\x20\nReadOnlyPaths=/etc\n"
	text := exported(t, from, "nix")
	for _, part := range []string{
		`systemd.services."web".serviceConfig = {`, `ReadWritePaths = lib.mkDefault "\"/a b\" \${HOME} \\x20";`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}
