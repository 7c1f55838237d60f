package unit_test

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/unit"
)

// oddFiles are unit files in which something is odd, each with what would tell if it were read in another way.
var oddFiles = map[string]string{
	"crlf": "[Unit]\r\nDescription=crlf \\\r\n two\r\n",
	"mac":  "[Unit]\rDescription=mac\r\rDocumentation=man:x\r",
	"mixed": "[Unit]\n\rDescription=1\r\n\rDocumentation=man:x\n\nDescription=mixed \\\n\r\n" +
		"\rDescription=no\n",
	"nul":         "[Unit]\x00Description=nul \\\x00\ntwo\n\x00",
	"bom":         "\uFEFF[Unit]\nDescription=bom\n",
	"bom-late":    "[Unit]\n\uFEFFDescription=bom-late\n\uFEFFDescription=second\n",
	"bom-comment": "\uFEFF# [Unit]\n[Unit]\nDescription=bom-comment\n",
	"badutf8":     "[Unit]\nDescription=good\nDescription=\xff\nDocumentation=man:x\n",
	"nonchar":     "[Unit]\nDescription=good\nDescription=\xef\xbf\xbe\n",
	"surrogate":   "[Unit]\nDescription=good\nDescription=\xed\xa0\x80\n",
	"comment":     "# x\n ; y\n[Unit]\nDescription=a \\\n# comment \\\n  ; comment\nb # c\n",
	"blankends":   "[Unit]\nDescription=a \\\n\nDocumentation=man:x\nDescription=b \\\n \nDescription=c\n",
	"eof":         "[Unit]\nDescription=a \\",
	"eof2":        "[Unit]\nDescription=a \\\n",
	"backslashes": "[Unit]\nDescription=a\\\\\nDocumentation=man:x\nDescription=b\\\\\\\n c\\ \n" +
		"Documentation=man:y\n",
	"tabs":           "\t[Unit]\t\n\tDescription\t=\ttabs\t\v\f\t\n",
	"case":           "[Unit]\nDescription=right\ndescription=wrong\n[unit]\nDescription=wrong\n",
	"reset":          "[Unit]\nDescription=one\nDescription=\n",
	"outside":        "Description=outside\n[Unit]\nDocumentation=man:x\n",
	"noequals":       "[Unit]\nDescription\nDescription=good\n=bad\n",
	"spaces-in":      "[ Unit ]\nDescription=bad\n[Unit]\nDescription=good\n",
	"trailing":       "[Unit] # x\nDescription=bad\n",
	"trailing2":      "[Unit]\nDescription=good\n[Unit] # ]\nDescription=bad\n",
	"unclosed":       "[Unit]\nDescription=good\n[Service\nDescription=bad\n",
	"lone":           "[Unit]\nDescription=good\n[\n",
	"nothing":        "\n",
	"section-joined": "[Un\\\nit]\nDescription=bad\n",
	"name-joined":    "[Unit]\nDescr\\\niption=bad\nDescription \\\n =good\n",
	"include":        "[Unit]\n.include /etc/passwd\nDescription=good\n",
	"longest":        "[Unit]\n#" + strings.Repeat("x", 1<<20-2) + "\nDescription=longest\n",
	"too-long":       "[Unit]\nDescription=above\n#" + strings.Repeat("x", 1<<20-1) + "\nDescription=below\n",
	"long-joined": "[Unit]\n" + strings.Repeat("X="+strings.Repeat("x", 1<<19-4)+" \\\n", 2) +
		"\nDescription=long-joined\n",
	"joined-limit": "[Unit]\nX=" + strings.Repeat("x", 1<<19-3) + "\\\n" + strings.Repeat("x", 1<<19) +
		"\nDescription=joined-limit\n",
	"joined-over": "[Unit]\nX=" + strings.Repeat("x", 1<<19-2) + "\\\n" + strings.Repeat("x", 1<<19) +
		"\nDescription=joined-over\n",
	"percent":     "[Unit]\nDescription=a%%b%-c%\n",
	"percent-bad": "[Unit]\nDescription=good\nDescription=%Z\n",
	"unescaped":   "[Unit]\nDescription=good\nDescription=%P\n",
}

// lists are values of ReadWritePaths=, which systemd splits as Words does.
var lists = []string{
	`/a /b`, "/a\t/b  /c", `"/a" '/b'`, `"/a b" '/c d'`, `/a"/b"'/c'`, `"/a`, `/a "/b`, `/a '/b" /c`, `/a\`,
	`/a /b\ /c`, `/a\ b /c`,
	`"/a\"b"`, `'/a\'b'`, `"/a'b" '/c"d'`, `/a "" /b`, `/a\\b`, `/a\x41`, `""`, `/a""`, `"/a""/b"`, `"/a"/b`,
	`/a"/b /c"/d`, `/a '`,
}

var bools = []string{
	"1", "yes", "Y", "TRUE", "t", "On", "0", "no", "N", "False", "f", "oFF", "", "2", "yess", " yes",
	"yes no", "enable", "ja", "\"yes\"",
}

var words = []string{"a/b", "a-b.c", ".hidden", `a\b`, "ä", "a@b", "a:b_C", "-", "/", "//a//", "%i~+"}

var paths = []string{"/", "/dev/sda", "//dev//sda/", "/.hidden/.x", "/a-b/c", "dev", `/a\b`, "/ä"}

// TestSystemdLoads compares what this package loads with what systemd loads, for every unit of a Debian tree and for
// all that is odd in testdata.
func TestSystemdLoads(t *testing.T) {
	for _, name := range []string{"bullseye", "bookworm", "trixie", "sid"} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, name)
			names := m.fill(t)
			l := &unit.Loader{Root: host.At(m.root), Version: testroot.Versions[name]}
			properties := []string{
				"Id", "Names", "LoadState", "FragmentPath", "DropInPaths", "Description", "Documentation",
				"ReadWritePaths", "RemainAfterExit",
			}
			own, err := (&unit.Loader{Root: host.At(m.root)}).List(".service")
			if err != nil || len(own) < 100 {
				t.Fatalf("List: %d names, %v", len(own), err)
			}
			for _, n := range own {
				if !unit.IsTemplate(n) {
					names = append(names, n)
				}
			}
			slices.Sort(names)
			names = slices.Compact(names)
			compared := 0
			for i, want := range m.boot(t, properties, names, words, paths) {
				u, err := l.Load(names[i])
				if errors.Is(err, unit.ErrNotFound) && want["LoadState"] == "not-found" {
					continue
				}
				if err != nil && want["LoadState"] == "error" {
					continue
				}
				if err != nil {
					t.Errorf("%s: %v; systemd has it %s", names[i], err, want["LoadState"])
					continue
				}
				compared++
				if d := cmp.Diff(systemdSays(want), weSay(t, u, want)); d != "" {
					t.Errorf("%s (-systemd +temper):\n%s", names[i], d)
				}
			}
			if compared < 150 {
				t.Errorf("only %d units were compared", compared)
			}
			compareEscapes(t, m)
		})
	}
}

// fill puts every odd case into the machine's tree and returns the names to ask about.
func (m *machine) fill(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, a := range archives(t) {
		for _, name := range extract(t, m.root, a) {
			if unit.ValidName(name) && !unit.IsTemplate(name) {
				names = append(names, name)
			}
		}
	}
	add := func(name, text string) {
		m.write(t, m.root+"/etc/systemd/system/"+name, text, 0o644)
		if unit.IsTemplate(name) {
			name = unit.Instantiate(name, `i-k\x2dl.m`)
		}
		names = append(names, name)
	}
	for name, text := range oddFiles {
		add("odd-"+name+".service", text)
	}
	for i, list := range lists {
		add(fmt.Sprintf("list-%d.service", i), "[Service]\nExecStart=/bin/true\nReadWritePaths="+list+"\n")
	}
	for i, b := range bools {
		add(fmt.Sprintf("bool-%d.service", i), "[Service]\nExecStart=/bin/true\nRemainAfterExit="+b+"\n")
	}
	for c := byte('A'); c <= 'z'; c++ {
		if strings.IndexByte("HlqmbvacrRs", c) < 0 && (c <= 'Z' || c >= 'a') {
			add(fmt.Sprintf("sp-%d@.service", c), "[Unit]\nDescription=%"+string(c)+"\n")
			add(fmt.Sprintf(`sp\x2d-%d.service`, c), "[Unit]\nDescription=x%"+string(c)+"\n")
		}
	}
	return names
}

// systemdSays takes from the answer what this package knows too. Paths below /lib are those below /usr/lib where one
// is a link to the other, as it is in every tree whose systemd would name it.
func systemdSays(answer map[string]string) map[string]string {
	got := map[string]string{}
	for name, value := range answer {
		switch name {
		case "FragmentPath":
			value = usr(value)
		case "Names", "DropInPaths", "Documentation", "ReadWritePaths": // shown with quotes where they need them
			words, err := unit.Words(value)
			if err != nil {
				words = []string{err.Error()}
			}
			if name == "Names" {
				slices.Sort(words)
			}
			value = strings.Join(words, "|")
		}
		got[name] = value
	}
	if got["LoadState"] == "bad-setting" { // such as a service without ExecStart=, which is no matter of reading
		got["LoadState"] = "loaded"
	}
	return got
}

// weSay answers the same about what this package loaded.
func weSay(t *testing.T, u *unit.Unit, want map[string]string) map[string]string {
	t.Helper()
	names := append([]string{u.ID}, u.Aliases...)
	slices.Sort(names)
	got := map[string]string{
		"Id": u.ID, "Names": strings.Join(names, "|"), "LoadState": "loaded", "FragmentPath": usr(u.Fragment),
		"DropInPaths": strings.Join(u.Dropins, "|"), "Description": description(u),
		"Documentation": list(u, "Unit", "Documentation"),
	}
	if _, ok := want["ReadWritePaths"]; ok {
		got["ReadWritePaths"] = list(u, "Service", "ReadWritePaths", "ReadWriteDirectories")
		got["RemainAfterExit"] = "no"
		for _, a := range u.All("Service", "RemainAfterExit") {
			if on, ok := unit.Bool(a.Value); ok {
				got["RemainAfterExit"] = map[bool]string{true: "yes", false: "no"}[on]
			}
		}
	}
	// specifiers had the alias; a slice has a description by itself
	if u.Name != u.ID || strings.HasSuffix(u.ID, ".slice") {
		got["Description"] = want["Description"]
	}
	if u.Masked { // older versions read the drop-ins of a unit that cannot start
		got["LoadState"] = "masked"
		for _, name := range []string{"Id", "Names", "DropInPaths", "Description", "Documentation"} {
			got[name] = systemdSays(want)[name]
		}
	}
	return got
}

// usr is the name of a file where /lib is a link to /usr/lib. Where it is not, no two files have the same name
// otherwise.
func usr(path string) string {
	if strings.HasPrefix(path, "/lib/") {
		return "/usr" + path
	}
	return path
}

// description is what Description= comes to: a value in which a specifier is wrong is ignored.
func description(u *unit.Unit) string {
	text := u.ID
	for _, a := range u.All("Unit", "Description") {
		if a.Value == "" {
			text = u.ID
		} else if value, err := u.Expand(a.Value); err == nil {
			text = value
		}
		if text == "" {
			text = u.ID
		}
	}
	return text
}

// list is what a list of paths or addresses comes to: an empty assignment resets it, and a word that does not expand
// is left out.
func list(u *unit.Unit, section string, spellings ...string) string {
	var all []string
	for _, a := range u.Assignments {
		if a.Section != section || !slices.Contains(spellings, a.Name) {
			continue
		}
		if a.Value == "" {
			all = nil
		}
		words, _ := unit.Words(a.Value) // those before an unbalanced quote count
		for _, w := range words {
			if w, err := u.Expand(w); err == nil && w != "" {
				if path.IsAbs(w) {
					w = path.Clean(w)
				}
				all = append(all, w)
			}
		}
	}
	return strings.Join(all, "|")
}

func compareEscapes(t *testing.T, m *machine) {
	t.Helper()
	var got []string
	for _, w := range words {
		got = append(got, unit.Escape(w))
		if back, err := unit.Unescape(unit.Escape(w)); err != nil || back != w {
			t.Errorf("Unescape(Escape(%q)) = %q, %v", w, back, err)
		}
	}
	if d := cmp.Diff(strings.Fields(m.answer(t, "escape")), got); d != "" {
		t.Errorf("Escape (-systemd +temper):\n%s", d)
	}
	got = nil
	for _, p := range paths {
		e, err := unit.EscapePath(p)
		if err != nil {
			t.Errorf("EscapePath(%q): %v", p, err)
		}
		got = append(got, e)
	}
	if d := cmp.Diff(strings.Fields(m.answer(t, "escape-path")), got); d != "" {
		t.Errorf("EscapePath (-systemd +temper):\n%s", d)
	}
}
