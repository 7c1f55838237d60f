package users

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The candidates are far above the ids that distributions, subuid(5) and container engines give out by default. Each
// has many times 65536 ids, since an image may have files of users beyond that. None reaches 2^31: some programs and
// file systems take such ids for negative numbers.
const (
	width          = 1 << 25
	firstCandidate = 30
	lastCandidate  = 62
)

// Choose returns a range of which no user, group or process of the machine has an id, as far as its files say. The
// processes of other containers count, so that two containers do not share their users.
func Choose() (Range, error) {
	used := idsInUse("/")
	const count = lastCandidate - firstCandidate + 1
	start := rand.IntN(count)
	for i := range count {
		r := Range{First: uint32(firstCandidate+(start+i)%count) * width, Count: width}
		if !r.meets(used) {
			return r, nil
		}
	}
	return Range{}, errors.New("every range of user ids that a container could have meets ids of this machine's users")
}

// meets reports whether the range has an id in common with others.
func (r Range) meets(others []Range) bool {
	for _, o := range others {
		if o.Count > 0 && uint64(o.First) < r.end() && uint64(r.First) < o.end() {
			return true
		}
	}
	return false
}

// end is the first id after the range.
func (r Range) end() uint64 { return uint64(r.First) + uint64(r.Count) }

// idsInUse lists the ids of users, groups and processes of the machine whose root directory is given, and those that
// are set aside for the containers of users. What cannot be read or parsed is left out.
func idsInUse(root string) []Range {
	var used []Range
	for name, field := range map[string]int{"etc/passwd": 2, "etc/group": 2} {
		eachLine(filepath.Join(root, name), func(line string) {
			if f := strings.Split(line, ":"); len(f) > field {
				used = append(used, parse(f[field], "1")...)
			}
		})
	}
	for _, name := range []string{"etc/subuid", "etc/subgid"} {
		eachLine(filepath.Join(root, name), func(line string) {
			if f := strings.Split(line, ":"); len(f) == 3 {
				used = append(used, parse(f[1], f[2])...)
			}
		})
	}
	processes, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*/status"))
	for _, name := range processes {
		eachLine(name, func(line string) {
			key, ids, _ := strings.Cut(line, ":")
			if key != "Uid" && key != "Gid" {
				return
			}
			for id := range strings.FieldsSeq(ids) {
				used = append(used, parse(id, "1")...)
			}
		})
	}
	return used
}

func eachLine(name string, f func(line string)) {
	data, _ := os.ReadFile(name) // a file that does not exist, or a process that has ended, has no ids
	for line := range strings.Lines(string(data)) {
		f(strings.TrimSpace(line))
	}
}

// parse returns no range for what is not a number.
func parse(first, count string) []Range {
	f, err := strconv.ParseUint(first, 10, 32)
	c, cerr := strconv.ParseUint(count, 10, 32)
	if err != nil || cerr != nil {
		return nil
	}
	return []Range{{First: uint32(f), Count: uint32(c)}}
}

// String is the range as systemd-nspawn(1) takes it.
func (r Range) String() string { return fmt.Sprintf("%d:%d", r.First, r.Count) }
