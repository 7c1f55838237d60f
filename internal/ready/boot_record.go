// Package ready keeps the drop-ins of the generator in a boot record, which applies until something changes on which
// they depend.
//
// A [Record] has everything that was read, the state of each of these inputs, and the resulting drop-ins. The result
// depends on nothing else, so as long as every [Input] has the same state, a boot copies the drop-ins and parses no
// profile, verdict or unit. [Record.Holds] reports whether this is so; an input whose state is not certain counts as
// changed.
//
// A unit whose verdict cannot be read keeps what the record says, also where that holds no more; see [Record.Outdated].
//
// The package is small and imports almost nothing, since most boots run no other code of temper.
package ready

import (
	"bytes"
	"hash/crc32"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Path is the file of the record. It is in /etc like the verdicts, since /var may not be mounted when generators run,
// and in a directory of its own, since each new record changes the time of its directory.
const Path = "/etc/temper/verdicts/boot/ready"

// maxFile is the largest size in bytes of the record and of each input; it equals MaxFile of temper/internal/host.
const maxFile = 4 << 20

// A Record has the inputs and the result of one run of the generator.
type Record struct {
	Inputs   []Input
	States   [][]byte // of each input
	Patterns []string // names, and globs of package path, of the units that profiles match
	Dropins  []Dropin
}

// A Dropin is one file to write.
type Dropin struct {
	Unit string
	Text []byte
}

// Copy writes the drop-ins of a root's record below dir. ok is false if a new decision could have another result, or if
// writing failed: temper-decide then writes all drop-ins again.
func Copy(root, dir string) (ok bool) {
	r, ok := Load(root)
	if !ok || !r.Holds(root) {
		return false
	}
	_, err := Write(dir, r.Dropins)
	return err == nil
}

// ReadStates sets the States to those that the inputs have now. ok is false if one of them is not certain: on some file
// systems a directory does not have the types of its entries.
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

// Holds reports whether every input still has its state, and the volatile directories have nothing about the units of
// the record.
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

// Outdated returns a record that holds no more and still says what the last decision applied.
func (r Record) Outdated() Record {
	r.Inputs, r.States = []Input{{Kind: Kernel}}, [][]byte{nil} // no kernel has this release
	return r
}

// Text returns the drop-in of a unit; nil if it has none.
func (r Record) Text(unit string) []byte {
	for _, d := range r.Dropins {
		if d.Unit == unit {
			return d.Text
		}
	}
	return nil
}

// WithText returns the record with another drop-in of a unit; without one if text is empty.
func (r Record) WithText(unit string, text []byte) Record {
	r.Dropins = slices.DeleteFunc(slices.Clone(r.Dropins), func(d Dropin) bool { return d.Unit == unit })
	if len(text) > 0 {
		r.Dropins = append(r.Dropins, Dropin{Unit: unit, Text: text})
	}
	return r
}

// magic is the beginning of every record. It changes with each change of the format or its meaning.
const magic = "temper ready 5\n"

// Bytes returns the record as it is stored, with a checksum at the end.
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

// Parse reads the result of Bytes; ok is false if it is damaged. The record shares the memory of data.
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

// parser reads what putNumber and putBytes wrote. After an error, everything that it reads is empty.
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

// count reads the number of elements, each of which has at least this many bytes.
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

// Load returns the record of a root. ok is false if there is no usable record, or if a user other than root could have
// written it.
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

// trusted reports whether a file has this type, belongs to root or the user, and cannot be written by others.
func trusted(st *unix.Stat_t, kind uint32) bool {
	return st.Mode&unix.S_IFMT == kind && (st.Uid == 0 || int(st.Uid) == unix.Geteuid()) && st.Mode&0o022 == 0
}
