package exposure_test

import (
	"testing"

	"temper/analyzer/exposure"
)

// TestAssess scores what is known of a service, without any files.
func TestAssess(t *testing.T) {
	service := func() exposure.Service {
		return exposure.Service{
			Unit: "x.service", Values: map[string]string{"KeyringMode": "private"},
			Bounding: 1<<41 - 1,
		}
	}
	root, other, user := service(), service(), exposure.Options{Version: 262, Arch: "x86_64", User: true}
	other.User = "web"
	tests := []struct {
		name    string
		service exposure.Service
		options exposure.Options
		field   string
		want    string
	}{
		{"root", root, exposure.Options{Arch: "x86_64"}, "UserOrDynamicUser", "Service runs as root user"},
		{
			"another", other,
			exposure.Options{Arch: "x86_64"},
			"UserOrDynamicUser",
			"Service runs under a static non-root user identity",
		},
		{"of a user", root, user, "UserOrDynamicUser", "Service runs under the calling user's identity"},
		{"of a user", root, user, "RemoveIPC", "RemoveIPC= has no effect on per-user services"},
		{
			"of a user, before", root,
			exposure.Options{Version: 257, Arch: "x86_64", User: true},
			"UserOrDynamicUser",
			"Service runs as root user",
		},
	}
	for _, tt := range tests {
		r, err := exposure.Assess(tt.service, tt.options)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Rows {
			if row.JSONField == tt.field && row.Description != tt.want {
				t.Errorf("%s: %s is %q, want %q", tt.name, tt.field, row.Description, tt.want)
			}
		}
	}
}

func TestValid(t *testing.T) {
	for text, o := range map[string]exposure.Options{
		"": {}, "systemd 246 cannot be scored, want 247 or newer": {Version: 246},
		`architecture "vax" is not known, want one such as x86_64 or aarch64`: {Arch: "vax"},
	} {
		err := o.Valid()
		if text == "" && err != nil || text != "" && (err == nil || err.Error() != text) {
			t.Errorf("%+v: got %v, want %q", o, err, text)
		}
	}
}
