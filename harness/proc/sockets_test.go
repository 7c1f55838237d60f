package proc

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseSocket: addresses of /proc/net/tcp and tcp6.
func TestParseSocket(t *testing.T) {
	for field, want := range map[string]string{
		"0100007F:1E61":                         "127.0.0.1:7777",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:0016": "[::1]:22",
		"00000000000000000000000000000000:0050": "[::]:80",
		"00000000:8000":                         "0.0.0.0:32768",
		"00000000:0000":                         "",
		"zz:0050":                               "",
	} {
		if got, ok := parseSocket(field); got.String() != want && (ok || want != "") {
			t.Errorf("%s is %q, %t, want %q", field, got, ok, want)
		}
	}
}

// TestListeners: who listens on TCP is seen on a port as high as those that the kernel gives out; with UDP it is a client.
func TestListeners(t *testing.T) {
	const format = "  0: 0100007F:%s 00000000:0000 %s 00000000:00000000 00:00000000 00000000 0 0 %d 1\n"
	proc := t.TempDir()
	for name, text := range map[string]string{
		"tcp": fmt.Sprintf(format+format+format, "0050", "0A", 1, "C383", "0A", 2, "C384", "01", 3),
		"udp": fmt.Sprintf(format+format, "0035", "07", 4, "C383", "07", 5),
	} {
		if err := errors.Join(os.MkdirAll(proc+"/net", 0o700), os.WriteFile(proc+"/net/"+name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"socket:[1]": "tcp 127.0.0.1:80", "socket:[2]": "tcp 127.0.0.1:50051", "socket:[4]": "udp 127.0.0.1:53"}
	if diff := cmp.Diff(want, Process(proc).Listeners()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
