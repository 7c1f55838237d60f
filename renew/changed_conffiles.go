package renew

import (
	"context"
	"crypto/md5" // what dpkg records
	"encoding/hex"
	"errors"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
)

// changedConffile returns a configuration file of the packages that own some files, which is not as the package brought
// it; "" if there is none, or if no package manager that is known here owns the files.
func changedConffile(ctx context.Context, root host.Root, files []string) (string, error) {
	if file, err := changedDebianConffile(root, files); file != "" || err != nil || !root.IsHost() {
		return file, err
	}
	for _, file := range files {
		// Its exit status says the same as its output.
		out, _ := exec.CommandContext(ctx, "rpm", "--verify", "--configfiles", "--file", file).Output()
		if changed := firstChangedByRPM(string(out)); changed != "" {
			return changed, nil
		}
	}
	return "", nil
}

// firstChangedByRPM returns the first configuration file in the output of rpm --verify whose content has changed or
// that is missing; "" if there is none. A line is "S.5....T.  c /etc/x.conf" or "missing   c /etc/x.conf".
func firstChangedByRPM(output string) string {
	for line := range strings.Lines(output) {
		f := strings.Fields(line)
		if len(f) >= 3 && f[1] == "c" && (f[0] == "missing" || strings.Contains(f[0], "5")) {
			return strings.Join(f[2:], " ")
		}
	}
	return ""
}

// The files of dpkg(1): the packages with their conffiles, and a list of the files of each package.
const (
	dpkgStatus = "/var/lib/dpkg/status"
	dpkgInfo   = "/var/lib/dpkg/info"
)

const maxDpkgFile = 64 << 20

func changedDebianConffile(root host.Root, files []string) (string, error) {
	owners, err := debianOwners(root, files)
	if len(owners) == 0 || err != nil {
		return "", err
	}
	status, err := root.ReadAtMost(dpkgStatus, maxDpkgFile)
	if err != nil {
		return "", err
	}
	for _, c := range conffilesOf(string(status), owners) {
		data, err := root.ReadFile(c.name)
		sum := md5.Sum(data)
		if err != nil || hex.EncodeToString(sum[:]) != c.md5 {
			return c.name, nil
		}
	}
	return "", nil
}

// debianOwners returns the packages to which some files belong; none where dpkg knows no packages.
func debianOwners(root host.Root, files []string) ([]string, error) {
	wanted := map[string]bool{}
	for _, file := range files {
		wanted[file] = true
		if short, merged := strings.CutPrefix(file, "/usr/"); merged { // as packages before the merge of /usr have it
			wanted["/"+short] = true
		}
	}
	entries, err := root.ReadDir(dpkgInfo)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var owners []string
	for _, e := range entries {
		name, isList := strings.CutSuffix(e.Name(), ".list")
		if !isList {
			continue
		}
		list, err := root.ReadAtMost(path.Join(dpkgInfo, e.Name()), maxDpkgFile)
		if errors.Is(err, fs.ErrNotExist) { // its package has just been removed
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(list)) {
			if wanted[strings.TrimSuffix(line, "\n")] {
				name, _, _ := strings.Cut(name, ":") // without the architecture
				owners = append(owners, name)
				break
			}
		}
	}
	return owners, nil
}

// A conffile is a configuration file as a package brought it.
type conffile struct{ name, md5 string }

// conffilesOf returns the conffiles of packages that dpkg's status file lists. Those that a package has given up are
// left out.
func conffilesOf(status string, packages []string) []conffile {
	var list []conffile
	var wanted, inConffiles bool
	for line := range strings.Lines(status) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			wanted = slices.Contains(packages, name)
		}
		if !strings.HasPrefix(line, " ") {
			inConffiles = line == "Conffiles:"
			continue
		}
		// " NAME MD5", and one word more for a file that the package has given up
		if f := strings.Fields(line); wanted && inConffiles && len(f) == 2 && len(f[1]) == hex.EncodedLen(md5.Size) {
			list = append(list, conffile{f[0], f[1]})
		}
	}
	return list
}
