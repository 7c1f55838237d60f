package witness_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"temper/harness/witness"
)

// FuzzEvents holds that events with any content, most of which the watched service chooses, become denials that can be
// told, compared and explained.
func FuzzEvents(f *testing.F) {
	event := make([]byte, witness.EventSize)
	binary.LittleEndian.PutUint32(event, 257)    // openat
	binary.LittleEndian.PutUint32(event[4:], 30) // EROFS
	binary.LittleEndian.PutUint64(event[24:], 7)
	copy(event[80:], "nginx\x00")
	binary.LittleEndian.PutUint32(event[96:], 9)
	copy(event[120:], "/var/log\x00")
	f.Add(event)
	// socket, connect, bind, clone, mount, clone3, and numbers of no call.
	for _, call := range []uint32{41, 42, 49, 56, 165, 435, 0xffffffff, 0x40000001} {
		other := append([]byte(nil), event...)
		binary.LittleEndian.PutUint32(other, call)
		binary.LittleEndian.PutUint32(other[96:], 0x7fffffff)
		f.Add(append(event, other...))
	}
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var events [][]byte
		for len(data) > witness.EventSize {
			events, data = append(events, data[:witness.EventSize]), data[witness.EventSize:]
		}
		r := witness.Collect(append(events, data))
		for _, d := range append(r.Denials, r.Setup...) {
			if text := d.String(); !strings.Contains(text, d.Syscall) || !strings.HasSuffix(text, d.Errno) {
				t.Errorf("%+v is told as %q", d, text)
			}
			for _, why := range d.Restrictions() {
				if why.Kind == "" {
					t.Errorf("%+v is explained by nothing", d)
				}
			}
		}
		if left := r.Minus(r); len(left.Denials)+len(left.Setup) > 0 {
			t.Errorf("of a record without itself is left %+v", left)
		}
		if same := r.Renamed("no such name", "other"); len(same.Denials) != len(r.Denials) {
			t.Errorf("%d denials became %d", len(r.Denials), len(same.Denials))
		}
	})
}
