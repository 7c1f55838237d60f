package directive_test

import (
	"testing"

	"temper/internal/directive"
)

func TestRead(t *testing.T) {
	tests := []struct {
		name    string
		values  []string
		version int
		want    string
		set     bool
	}{
		{"ProtectSystem", nil, 252, "no", false},
		{"ProtectSystem", []string{"strict", "1"}, 252, "yes", true},
		{"ProtectSystem", []string{"strict", "", "bogus"}, 252, "strict", true},
		{"KeyringMode", []string{"yes"}, 252, "private", false},
		{"KeyringMode", []string{"shared"}, 252, "shared", true},
		{"PrivateTmp", []string{"disconnected"}, 252, "no", false},
		{"PrivateTmp", []string{"disconnected"}, 257, "disconnected", true},
		{"PrivateTmp", []string{"connected"}, 257, "yes", true},
		{"PrivateTmp", []string{"connected"}, 256, "no", false},
		{"PrivateUsers", []string{"self"}, 257, "yes", true},
		{"PrivateUsers", []string{"full"}, 257, "no", false},
		{"PrivateMounts", []string{"yes", ""}, 253, "yes", true},
		{"PrivateMounts", []string{"yes", ""}, 254, "no", false},
		{"ProtectHostname", []string{"yes:web"}, 257, "no", false},
		{"ProtectHostname", []string{"private:web"}, 262, "private", true},
		{"ProtectHostname", []string{"private:", "private:a b", "private:-x", "private:.x"}, 262, "no", false},
		{"ProtectHostname", []string{"private:web-1.example"}, 262, "private", true},
		{"ProtectHostname", []string{"yes", ""}, 257, "yes", true},
		{"ProtectHostname", []string{"yes", ""}, 262, "no", false},
		{"Delegate", []string{"memory bogus"}, 252, "yes", true},
		{"Delegate", []string{""}, 252, "yes", true},
		{"Delegate", []string{"off"}, 252, "no", true},
		{"Delegate", []string{`"memory`}, 252, "no", false},
	}
	for _, tt := range tests {
		d, _ := directive.Lookup(tt.name)
		got, set := d.Read(tt.values, tt.version)
		if got.Name != tt.want || set != tt.set {
			t.Errorf("%s=%q on %d: got %s, set %v, want %s, %v", tt.name, tt.values, tt.version, got.Name, set, tt.want,
				tt.set)
		}
	}
}
