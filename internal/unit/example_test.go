package unit_test

import (
	"fmt"
	"os"
	"path/filepath"

	"temper/internal/host"
	"temper/internal/unit"
)

func Example() {
	root, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(root)
	for name, text := range map[string]string{
		"usr/lib/systemd/system/nginx.service":                 "[Service]\nPrivateTmp=no\nReadWritePaths=/var/log\n",
		"etc/systemd/system/nginx.service.d/override.conf":     "[Service]\nPrivateTmp=yes\n",
		"run/systemd/generator/nginx.service.d/50-temper.conf": "[Service]\nPrivateTmp=disconnected\n",
	} {
		_ = os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755)
		_ = os.WriteFile(filepath.Join(root, name), []byte(text), 0o644)
	}

	l := &unit.Loader{Root: host.At(root)}
	u, err := l.Load("nginx.service")
	if err != nil {
		panic(err)
	}
	for _, a := range u.All("Service", "PrivateTmp") {
		fmt.Println(a.Pos, a.Value)
	}
	// Output:
	// /usr/lib/systemd/system/nginx.service:2 no
	// /run/systemd/generator/nginx.service.d/50-temper.conf:2 disconnected
	// /etc/systemd/system/nginx.service.d/override.conf:2 yes
}
