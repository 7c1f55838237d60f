package profiles_test

import (
	"fmt"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// The profiles that temper ships, without what this machine may have in /etc.
func ExampleLoad() {
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	for _, p := range problems {
		fmt.Println(p)
	}
	p, named := set.For(&unit.Unit{Name: "redis.service", ID: "redis-server.service"})
	home, _ := p.Setting("ProtectHome")
	fmt.Println(p.Name, named, p.Extends)
	fmt.Println(home.Name, home.Values, "from", home.Profile)
	for _, c := range p.Checks {
		fmt.Println(c.Kind(), c.Name)
	}
	// Output:
	// redis-server true [base/network-daemon base/strict]
	// ProtectHome [yes] from base/daemon
	// tcp answers a ping
	// exec keeps a value
	// exec runs a script
	// exec saves to disk
}
