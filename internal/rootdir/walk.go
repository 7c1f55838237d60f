package rootdir

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is the most symbolic links that are followed for one name, as in the kernel.
const maxLinks = 40

// walk is [Dir.Open] without openat2(2). It opens one directory of the name after the other and lets the kernel follow
// no link: it reads each link and opens the parts of its target. ".." goes back to the directory that was opened
// before, which is inside the root even if somebody has moved the current one meanwhile.
func (d Dir) walk(name string, flags int) (int, error) {
	dirs := []int{d.fd} // the root and the directories on the way
	defer func() { closeAll(dirs[1:]) }()
	rest := parts(name)
	for links := 0; len(rest) > 0; {
		part, top := rest[0], dirs[len(dirs)-1]
		rest = rest[1:]
		if part == "." {
			continue
		}
		if part == ".." {
			keep := max(len(dirs)-1, 1)
			closeAll(dirs[keep:])
			dirs = dirs[:keep]
			continue
		}
		last := len(rest) == 0
		if target, isLink := linkAt(top, part); isLink && !(last && flags&unix.O_NOFOLLOW != 0) {
			if links++; links > maxLinks {
				return -1, unix.ELOOP
			}
			if strings.HasPrefix(target, "/") {
				closeAll(dirs[1:])
				dirs = dirs[:1]
			}
			rest = append(parts(target), rest...)
			continue
		}
		if last {
			return retryEINTR(func() (int, error) { return unix.Openat(top, part, flags|unix.O_NOFOLLOW, 0) })
		}
		fd, err := retryEINTR(func() (int, error) {
			return unix.Openat(top, part, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		})
		if err != nil {
			return -1, err
		}
		dirs = append(dirs, fd)
	}
	top := dirs[len(dirs)-1]
	return retryEINTR(func() (int, error) { return unix.Openat(top, ".", flags, 0) })
}

// parts splits a name. A "/" at the end asks for a directory, as "/." does.
func parts(name string) []string {
	if strings.HasSuffix(name, "/") {
		name += "."
	}
	return slices.DeleteFunc(strings.Split(name, "/"), func(part string) bool { return part == "" })
}

// linkAt reads the link with this name in a directory; isLink is false if there is none.
func linkAt(dir int, name string) (target string, isLink bool) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err == nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
