package packaging_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"temper/harness/place"
	"temper/internal/testroot"
)

// greeters are the packages of the service in testdata/greeter, built with the addon, and of its second version, whose
// packager does not know of temper: it starts nothing of temper's.
var greeters = sync.OnceValues(buildGreeters)

func buildGreeters() ([]place.File, error) {
	debs, err := built()
	if err != nil {
		return nil, err
	}
	source, err := below("testdata/greeter", "/build/greeter")
	if err != nil {
		return nil, err
	}
	p, err := place.Container(context.Background(),
		place.Options{Trusted: true, Image: testroot.Tree("builder"), Files: append(source, under("/build", debs)...)})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	r, err := p.Run(context.Background(),
		place.Command{Args: []string{"sh", "-euc", building}, Timeout: 2 * time.Minute})
	if err == nil && r.Status != 0 {
		err = fmt.Errorf("status %d: %s%s", r.Status, r.Stdout, r.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("build greeter: %w", err)
	}
	var files []place.File
	for _, name := range []string{"greeter_1_all.deb", "greeter_2_all.deb"} {
		data, err := p.Root().ReadFile("/build/" + name)
		if err != nil {
			return nil, err
		}
		files = append(files, place.File{Name: name, Data: data})
	}
	return files, nil
}

// below reads what is below a directory, to be put below another.
func below(dir, to string) ([]place.File, error) {
	var files []place.File
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		files = append(files, place.File{Name: to + strings.TrimPrefix(name, dir), Data: data, Mode: info.Mode()})
		return err
	})
	return files, err
}

const building = `
cd /build
dpkg --install temper_*.deb temper-profiles_*.deb dh-temper_*.deb
(cd greeter && dpkg-buildpackage --no-sign --build=binary)
dpkg-deb --raw-extract greeter_1_all.deb 2
sed -i 's/^Version: 1/Version: 2/' 2/DEBIAN/control
rm 2/DEBIAN/md5sums
sed -i 's/systemctl .* start temper-prove.service/true/' 2/DEBIAN/postinst
! grep temper-prove 2/DEBIAN/postinst
echo '# This is the second version.' >>2/usr/sbin/greeter
dpkg-deb --root-owner-group --build 2 greeter_2_all.deb
`
