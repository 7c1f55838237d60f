package profiles

// Parse reads one file alone and returns the paths of the keys that the scanner found, and every finding.
func Parse(data []byte) (*Profile, []Finding) {
	o := parse("fuzz", "fuzz.toml", data)
	return &o.Profile, o.findings
}

// Broken reads a file whose reading panics.
func Broken(fault any) []Finding {
	return safely("a", reading{"/etc/a.toml", func() *own { panic(fault) }}).findings
}
