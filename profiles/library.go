package profiles

import (
	"embed"
	"io/fs"
)

//go:embed library
var library embed.FS

// Builtin stands in the search path of [Load] for the profiles that are compiled in.
const Builtin = "builtin:"

// Library returns the profiles that temper ships, laid out as a profile directory is: "nginx.toml", "base/daemon.toml".
func Library() fs.FS {
	sub, err := fs.Sub(library, "library")
	if err != nil { // the directory is in the binary
		panic(err)
	}
	return sub
}
