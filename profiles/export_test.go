package profiles

// Parse reads one file alone and returns the paths of the keys that the scanner found, and every finding.
func Parse(data []byte) (*Profile, []Finding) {
	o := parse("fuzz", "fuzz.toml", data)
	return &o.Profile, o.findings
}

// Lines returns the line of each key and array element of a document, or the line where it nests too deep.
func Lines(doc string) (map[string]int, int) {
	found, deep := locate(doc)
	lines := map[string]int{}
	for path, at := range found {
		lines[path] = at.line
	}
	return lines, deep
}

// Broken reads a file whose reading panics.
func Broken(fault any) []Finding {
	return safely("a", reading{"/etc/a.toml", func() *own { panic(fault) }}).findings
}
