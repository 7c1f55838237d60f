package witness_test

import (
	"fmt"

	"temper/harness/witness"
)

func ExampleDenial_Restrictions() {
	d := witness.Denial{Process: "nginx", Syscall: "bind", Errno: "EACCES", Path: "0.0.0.0:80"}
	fmt.Println(d)
	for _, r := range d.Restrictions() {
		fmt.Println("-", r)
	}
	// Output:
	// nginx: bind("0.0.0.0:80"): EACCES
	// - socket-bind 0.0.0.0:80
	// - capability CAP_NET_BIND_SERVICE
}
