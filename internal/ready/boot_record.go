// Package ready keeps what the generator decided until something changes that it depended on.
//
// A [Record] is everything that was read, in what state it was, and the drop-ins that came of it. Deciding is a
// function of what it reads, so as long as every [Input] has the same state the result is the same, and a boot copies
// texts without parsing a profile, a verdict or a unit. [Record.Holds] tells; anything that it is not sure of counts as
// changed.
//
// The package is small on purpose and imports almost nothing: it is what runs at most boots.
package ready

import (
	"bytes"
	"hash/crc32"
	"path"

	"golang.org/x/sys/unix"
)

// Path is where the record lies: beside the verdicts, as /var may not be there when generators run, and in a directory
// of its own, as each new record changes the time of its directory.
const Path = "/etc/temper/verdicts/boot/ready"

// maxFile is the size beyond which neither the record nor anything it depends on is read; that of temper/internal/host.
const maxFile = 4 << 20

// A Record is one run of the generator.
type Record struct {
	Inputs   []Input
	States   [][]byte // of each input
	Patterns []string // names, and globs as package path has them, of units that profiles are about
	Dropins  []Dropin
}

// A Dropin is one file to write.
type Dropin struct {
	Unit string
	Text []byte
}

// Copy writes below dir what lies ready in a root. ok is false where deciding might come to something else, or where
// writing failed: whoever decides does all of it again.
func Copy(root, dir string) (ok bool) {
	r, ok := Load(root)
	if !ok || !r.Holds(root) {
		return false
	}
	_, err := Write(dir, r.Dropins)
	return err == nil
}

// ReadStates fills in the state that each input has now. ok is false if one of them cannot be told: on some file
// systems a directory does not say of what type its entries are.
func (r *Record) ReadStates(root string) (ok bool) {
	now, err := newReader(root)
	if err != nil {
		return false
	}
	defer now.close()
	r.States = make([][]byte, len(r.Inputs))
	for i, input := range r.Inputs {
		r.States[i] = now.state(input, nil)
		if !certain(input, r.States[i]) {
			return false
		}
	}
	return true
}

// Holds reports whether every input has the state that it had, and nothing volatile is about the units of the record.
func (r *Record) Holds(root string) bool {
	now, err := newReader(root)
	if err != nil {
		return false
	}
	defer now.close()
	var state []byte
	for i, input := range r.Inputs {
		state = now.state(input, state[:0])
		if !bytes.Equal(state, r.States[i]) {
			return false
		}
	}
	return r.noneVolatile(now)
}

// magic begins every record. It is another with each change of what a record means.
const magic = "temper ready 5\n"

// Bytes is the record as it is stored. A checksum ends it.
func (r *Record) Bytes() []byte {
	to := putNumber([]byte(magic), len(r.Inputs))
	for i, input := range r.Inputs {
		to = append(to, byte(input.Kind))
		to = putBytes(putBytes(to, []byte(input.Path)), r.States[i])
	}
	to = putNumber(to, len(r.Patterns))
	for _, p := range r.Patterns {
		to = putBytes(to, []byte(p))
	}
	to = putNumber(to, len(r.Dropins))
	for _, d := range r.Dropins {
		to = putBytes(putBytes(to, []byte(d.Unit)), d.Text)
	}
	return putNumber(to, checksum(to))
}

func checksum(data []byte) int { return int(crc32.ChecksumIEEE(data)) }

// Parse reads what Bytes wrote; ok is false if it is damaged. The record shares the memory of data.
func Parse(data []byte) (r Record, ok bool) {
	body := data[:max(len(data)-4, 0)]
	end := parser{data: data[len(body):]}
	if end.number() != checksum(body) || end.bad {
		return r, false
	}
	body, whole := bytes.CutPrefix(body, []byte(magic))
	p := parser{body, !whole}
	r.Inputs = make([]Input, p.count(9))
	r.States = make([][]byte, len(r.Inputs))
	for i := range r.Inputs {
		if !p.bad && len(p.data) > 0 {
			r.Inputs[i].Kind = Kind(p.data[0])
			p.data = p.data[1:]
		}
		r.Inputs[i].Path, r.States[i] = p.text(), p.bytes()
	}
	r.Patterns = make([]string, p.count(4))
	for i := range r.Patterns {
		r.Patterns[i] = p.text()
	}
	r.Dropins = make([]Dropin, p.count(8))
	for i := range r.Dropins {
		r.Dropins[i].Unit, r.Dropins[i].Text = p.text(), p.bytes()
	}
	return r, !p.bad && len(p.data) == 0
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
	if n < 0 || n > len(p.data)/each {
		p.bad = true
		return 0
	}
	return n
}

func (p *parser) bytes() []byte {
	n := p.number()
	if n < 0 || n > len(p.data) {
		p.bad = true
	}
	if p.bad {
		return nil
	}
	b := p.data[:n:n]
	p.data = p.data[n:]
	return b
}

func (p *parser) text() string { return string(p.bytes()) }

// Load returns the record of a root. ok is false if there is none that can be used, or if others than root could write
// it.
func Load(root string) (r Record, ok bool) {
	now, err := newReader(root)
	if err != nil {
		return r, false
	}
	defer now.close()
	var st unix.Stat_t
	for _, dir := range []string{path.Dir(path.Dir(Path)), path.Dir(Path)} {
		if now.root.Stat(dir, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || !trusted(&st, unix.S_IFDIR) {
			return r, false
		}
	}
	fd, err := now.root.Open(Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW)
	if err != nil {
		return r, false
	}
	defer unix.Close(fd)
	if unix.Fstat(fd, &st) != nil || !trusted(&st, unix.S_IFREG) || st.Size > maxFile {
		return r, false
	}
	data, err := now.read(fd, int(st.Size))
	if err != nil {
		return r, false
	}
	return Parse(data)
}

// trusted reports whether a file is of a type, belongs to root or the user, and cannot be written by others.
func trusted(st *unix.Stat_t, kind uint32) bool {
	return st.Mode&unix.S_IFMT == kind && (st.Uid == 0 || int(st.Uid) == unix.Geteuid()) && st.Mode&0o022 == 0
}
