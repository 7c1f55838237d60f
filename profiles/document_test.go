package profiles_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"temper/internal/host"
	"temper/profiles"
	"temper/profiles/lint"
)

// TestBasesAreDocumented: docs/writing-profiles.md says of each base what its own comment says.
func TestBasesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/writing-profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	bases, err := fs.Glob(profiles.Library(), "base/*.toml")
	if err != nil || len(bases) == 0 {
		t.Fatalf("%v, %q", err, bases)
	}
	for _, file := range bases {
		data, err := fs.ReadFile(profiles.Library(), file)
		if err != nil {
			t.Fatal(err)
		}
		want := "### " + strings.TrimSuffix(file, ".toml") + "\n\n"
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "#") {
				break
			}
			want += strings.TrimLeft(line, "# ")
		}
		if !strings.Contains(oneLine(string(page)), oneLine(want)) {
			t.Errorf("docs/writing-profiles.md lacks, or has otherwise:\n%s", want)
		}
	}
}

// TestDocumentedProfile: the profile that docs/writing-profiles.md arrives at is one.
func TestDocumentedProfile(t *testing.T) {
	page, err := os.ReadFile("../docs/writing-profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```toml\n")[1:]
	if len(parts) != 3 {
		t.Fatalf("%d pieces of a profile, want the whole, a check and the settings", len(parts))
	}
	var text string
	for _, part := range parts {
		piece, _, _ := strings.Cut(part, "```")
		text += piece
	}
	root := t.TempDir()
	write(t, root+"/etc/temper/profiles.d/gearmand.toml", text)
	set, problems := profiles.Load(host.At(root), []string{"/etc/temper/profiles.d", profiles.Builtin})
	p, ok := set.Get("gearmand")
	if len(problems) > 0 || !ok {
		t.Fatalf("%v, %v", problems, ok)
	}
	for _, f := range lint.Profile(p, set) {
		t.Error(f)
	}
}

// oneLine leaves out where lines break, which is another column in each file.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
