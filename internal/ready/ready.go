// Package ready keeps what the generator decided until something changes that it depended on.
//
// A [Record] is everything that was looked at, what was seen there, and the drop-ins that came of it. Deciding is a function of
// what it looks at, so as long as every [Look] shows the same the result is the same, and a boot copies texts without parsing a
// profile, a verdict or a unit. [Record.Holds] tells; anything that it is not sure of counts as changed.
//
// The package is small on purpose and imports almost nothing: it is what runs at most boots.
package ready

import (
	"bytes"
	"path"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Path is where the record lies: beside the verdicts, as /var may not be there when generators run, and in a directory of its own,
// as each new record changes the time of its directory.
const Path = "/etc/temper/verdicts/boot/ready"

// maxFile is the size beyond which neither the record nor anything it depends on is read; that of temper/internal/host.
const maxFile = 4 << 20

// VolatileDirs are the directories of the unit load path that a boot begins without: what is there while a record is made is
// not there at the next boot. A record holds as long as nothing in them is about a unit that it knows or would know.
var VolatileDirs = []string{
	"/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early", "/run/systemd/system",
	"/run/systemd/system.attached", "/run/systemd/generator", "/run/systemd/generator.late",
}

// A Record is one run of the generator.
type Record struct {
	Looks    []Look
	Seen     [][]byte // by each look
	Patterns []string // names, and globs as package path has them, of units that profiles are about
	Dropins  []Dropin
}

// A Dropin is one file to write.
type Dropin struct {
	Unit string
	Text []byte
}

// Copy writes below dir what lies ready in a root. ok is false where deciding might come to something else, or where writing
// failed: whoever decides does all of it again.
func Copy(root, dir string) (ok bool) {
	r, ok := Load(root)
	if !ok || !r.Holds(root) {
		return false
	}
	_, err := Write(dir, r.Dropins)
	return err == nil
}

// Look fills in what each look shows now. ok is false if one of them cannot tell: on some file systems a directory does not say
// of what type its entries are.
func (r *Record) Look(root string) (ok bool) {
	t, err := openTree(root)
	if err != nil {
		return false
	}
	defer t.close()
	r.Seen = make([][]byte, len(r.Looks))
	for i, l := range r.Looks {
		r.Seen[i] = t.see(l, nil)
		if failed := bytes.HasPrefix(r.Seen[i], []byte("!")); failed && !bytes.Equal(r.Seen[i], missing) && !bytes.Equal(r.Seen[i], noDirectory) {
			return false
		}
	}
	return true
}

// Holds reports whether every look shows what it showed, and nothing volatile is about the units of the record.
func (r *Record) Holds(root string) bool {
	t, err := openTree(root)
	if err != nil {
		return false
	}
	defer t.close()
	var buf []byte
	for i, l := range r.Looks {
		buf = t.see(l, buf[:0])
		if !bytes.Equal(buf, r.Seen[i]) && !(l.Kind == Seen && len(buf) > 0 && buf[0] == '!') {
			return false
		}
	}
	for _, dir := range VolatileDirs {
		found, _, err := t.list(dir, ".service")
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return false
		}
		for _, f := range found {
			if r.concerns(f) {
				return false
			}
		}
	}
	return !t.exists(VolatileDirs, "service.d")
}

// exists reports whether one of the directories has a name, or cannot tell.
func (t *tree) exists(dirs []string, name string) bool {
	var st unix.Stat_t
	for _, dir := range dirs {
		if err := t.stat(dir+"/"+name, &st, unix.AT_SYMLINK_NOFOLLOW); err != unix.ENOENT {
			return true
		}
	}
	return false
}

// concerns reports whether an entry of a directory, as list has it, may be about a unit of the record. A link may make any name
// an alias, and a drop-in directory of a prefix is about every unit that begins with it.
func (r *Record) concerns(entry string) bool {
	name, kind, _ := strings.Cut(entry, "/")
	name, dropin := strings.CutSuffix(name, ".d")
	if !strings.HasSuffix(name, ".service") {
		return false // such as foo.service.wants
	}
	if kind == string(rune('a'+unix.DT_LNK)) {
		return true
	}
	bare := strings.TrimSuffix(name, ".service")
	if dropin && (strings.HasSuffix(bare, "-") || strings.Contains(bare, "-@")) {
		return true
	}
	template := name
	if at := strings.IndexByte(bare, '@'); at >= 0 {
		template = bare[:at] + "@.service"
	}
	for _, p := range r.Patterns {
		if p == name || p == template {
			return true
		}
		if strings.ContainsAny(p, "*?[") {
			if ok, err := path.Match(p, name); ok || err != nil {
				return true
			}
			if ok, _ := path.Match(p, template); ok {
				return true
			}
		}
	}
	return false
}

// magic begins every record. It is another with each change of what a record means.
const magic = "temper ready 4\n"

// Bytes is the record as it is stored.
func (r *Record) Bytes() []byte {
	to := putNumber([]byte(magic), len(r.Looks))
	for i, l := range r.Looks {
		to = append(to, byte(l.Kind))
		to = putBytes(putBytes(to, []byte(l.Path)), r.Seen[i])
	}
	to = putNumber(to, len(r.Patterns))
	for _, p := range r.Patterns {
		to = putBytes(to, []byte(p))
	}
	to = putNumber(to, len(r.Dropins))
	for _, d := range r.Dropins {
		to = putBytes(putBytes(to, []byte(d.Unit)), d.Text)
	}
	return append(to, magic...)
}

// Parse reads what Bytes wrote; ok is false if it is damaged. The record shares the memory of data.
func Parse(data []byte) (r Record, ok bool) {
	data, whole := bytes.CutPrefix(data, []byte(magic))
	p := parser{data, !whole}
	r.Looks = make([]Look, p.count(9))
	r.Seen = make([][]byte, len(r.Looks))
	for i := range r.Looks {
		if !p.bad && len(p.data) > 0 {
			r.Looks[i].Kind = Kind(p.data[0])
			p.data = p.data[1:]
		}
		r.Looks[i].Path, r.Seen[i] = p.text(), p.bytes()
	}
	r.Patterns = make([]string, p.count(4))
	for i := range r.Patterns {
		r.Patterns[i] = p.text()
	}
	r.Dropins = make([]Dropin, p.count(8))
	for i := range r.Dropins {
		r.Dropins[i].Unit, r.Dropins[i].Text = p.text(), p.bytes()
	}
	return r, !p.bad && string(p.data) == magic
}

func putNumber(to []byte, n int) []byte {
	return append(to, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

func putBytes(to, b []byte) []byte { return append(putNumber(to, len(b)), b...) }

// parser reads what put wrote. Once something is wrong, all that follows is empty.
type parser struct {
	data []byte
	bad  bool
}

func (p *parser) number() int {
	if p.bad || len(p.data) < 4 {
		p.bad = true
		return 0
	}
	d := p.data
	p.data = d[4:]
	return int(d[0]) | int(d[1])<<8 | int(d[2])<<16 | int(d[3])<<24
}

// count reads how many there are of something that takes at least some bytes each.
func (p *parser) count(each int) int {
	n := p.number()
	if n > len(p.data)/each {
		p.bad = true
		return 0
	}
	return n
}

func (p *parser) bytes() []byte {
	n := p.number()
	if n > len(p.data) {
		p.bad = true
	}
	if p.bad {
		return nil
	}
	b := p.data[:n:n]
	p.data = p.data[n:]
	return b
}

// text is bytes as a string in the same memory.
func (p *parser) text() string {
	b := p.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Load returns the record of a root. ok is false if there is none that can be used, or if others than root could write it.
func Load(root string) (r Record, ok bool) {
	t, err := openTree(root)
	if err != nil {
		return r, false
	}
	defer t.close()
	var st unix.Stat_t
	for _, dir := range []string{path.Dir(path.Dir(Path)), path.Dir(Path)} {
		if t.stat(dir, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || !trusted(&st, unix.S_IFDIR) {
			return r, false
		}
	}
	fd, err := t.open(Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil {
		return r, false
	}
	defer unix.Close(fd)
	if unix.Fstat(fd, &st) != nil || !trusted(&st, unix.S_IFREG) || st.Size > maxFile {
		return r, false
	}
	data, err := t.read(fd, int(st.Size))
	if err != nil {
		return r, false
	}
	return Parse(data)
}

// trusted reports whether a file is of a type, belongs to root or the user, and cannot be written by others.
func trusted(st *unix.Stat_t, kind uint32) bool {
	return st.Mode&unix.S_IFMT == kind && (st.Uid == 0 || int(st.Uid) == unix.Geteuid()) && st.Mode&0o022 == 0
}
