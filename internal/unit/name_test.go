package unit_test

import (
	"strings"
	"testing"

	"temper/internal/unit"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 247)
	tests := []struct {
		name                                string
		valid, template, instance           bool
		templateName, prefix, instancePart_ string
	}{
		{"nginx.service", true, false, false, "", "nginx", ""},
		{"a.b-c_d:e\\x20.socket", true, false, false, "", "a.b-c_d:e\\x20", ""},
		{"foo@.service", true, true, false, "foo@.service", "foo", ""},
		{"foo@bar.service", true, false, true, "foo@.service", "foo", "bar"},
		{"foo@a@b.c.timer", true, false, true, "foo@.timer", "foo", "a@b.c"},
		{long + ".service", true, false, false, "", long, ""},
		{long + "a.service", false, false, false, "", long + "a", ""},
		{"@.service", false, false, false, "", "@", ""},
		{"@x.service", false, false, false, "", "@x", ""},
		{".service", false, false, false, "", "", ""},
		{"nginx", false, false, false, "", "nginx", ""},
		{"nginx.conf", false, false, false, "", "nginx", ""},
		{"a b.service", false, false, false, "", "a b", ""},
		{"a/b.service", false, false, false, "", "a/b", ""},
		{"ä.service", false, false, false, "", "ä", ""},
		{"", false, false, false, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unit.ValidName(tt.name); got != tt.valid {
				t.Errorf("ValidName = %v", got)
			}
			if got := unit.IsTemplate(tt.name); got != tt.template {
				t.Errorf("IsTemplate = %v", got)
			}
			if got := unit.IsInstance(tt.name); got != tt.instance {
				t.Errorf("IsInstance = %v", got)
			}
			if got := unit.Template(tt.name); got != tt.templateName {
				t.Errorf("Template = %q", got)
			}
			if got := unit.Prefix(tt.name); got != tt.prefix {
				t.Errorf("Prefix = %q", got)
			}
			if got := unit.Instance(tt.name); got != tt.instancePart_ {
				t.Errorf("Instance = %q", got)
			}
		})
	}
}

func TestInstantiate(t *testing.T) {
	tests := []struct{ template, instance, want string }{
		{"foo@.service", "bar", "foo@bar.service"},
		{"foo@old.service", "new", "foo@new.service"},
		{"foo@.service", "a@b", "foo@a@b.service"},
		{"foo@.service", "", ""},
		{"foo@.service", "a b", ""},
		{"foo@.service", strings.Repeat("a", 250), ""},
		{"foo.service", "bar", ""},
	}
	for _, tt := range tests {
		if got := unit.Instantiate(tt.template, tt.instance); got != tt.want {
			t.Errorf("Instantiate(%q, %q) = %q, want %q", tt.template, tt.instance, got, tt.want)
		}
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ name, plain, escaped string }{
		{"slashes", "a/b", "a-b"},
		{"dash and dot", "a-b.c", `a\x2db.c`},
		{"leading dot", ".a", `\x2ea`},
		{"other bytes", "ä b", `\xc3\xa4\x20b`},
		{"backslash", `a\b`, `a\x5cb`},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := unit.Escape(tt.plain); got != tt.escaped {
				t.Errorf("Escape = %q", got)
			}
			if got, err := unit.Unescape(tt.escaped); got != tt.plain || err != nil {
				t.Errorf("Unescape = %q, %v", got, err)
			}
		})
	}
	for _, bad := range []string{`\`, `\x`, `\x2`, `\x2g`, `a\y20`, `-\x`} {
		if got, err := unit.Unescape(bad); err == nil {
			t.Errorf("Unescape(%q) = %q", bad, got)
		}
	}
	if got, err := unit.Unescape(`\x2D`); got != "-" || err != nil {
		t.Errorf("capital digits: %q, %v", got, err)
	}
}

func TestEscapePath(t *testing.T) {
	tests := []struct{ path, escaped, back string }{
		{"/", "-", "/"},
		{"", "-", "/"},
		{"/dev/sda", "dev-sda", "/dev/sda"},
		{"//dev//sda/", "dev-sda", "/dev/sda"},
		{"dev/./sda", "dev-sda", "/dev/sda"},
		{"/.x", `\x2ex`, "/.x"},
		{"/a-b", `a\x2db`, "/a-b"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got, err := unit.EscapePath(tt.path)
			if got != tt.escaped || err != nil {
				t.Errorf("EscapePath = %q, %v", got, err)
			}
			if back, err := unit.UnescapePath(got); back != tt.back || err != nil {
				t.Errorf("UnescapePath = %q, %v", back, err)
			}
		})
	}
	for _, bad := range []string{"..", "/a/../b", "."} {
		if got, err := unit.EscapePath(bad); err == nil {
			t.Errorf("EscapePath(%q) = %q", bad, got)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "a--b", `a-\x2e\x2e`, `\x2e`, `\x`} {
		if got, err := unit.UnescapePath(bad); err == nil {
			t.Errorf("UnescapePath(%q) = %q", bad, got)
		}
	}
}
