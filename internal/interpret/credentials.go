package interpret

import (
	"encoding/base64"
	"path"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/values"
)

// credentialLists are the directives that add credentials. Two directives of one kind share a list: a later entry
// replaces an earlier one of the same name, and an empty assignment of either directive empties the list.
var credentialLists = map[string]struct {
	list      string
	encrypted bool
	takes     func(r *reader, source string) bool
}{
	"LoadCredential":          {list: "load", takes: (*reader).isSource},
	"LoadCredentialEncrypted": {list: "load", encrypted: true, takes: (*reader).isSource},
	"SetCredential":           {list: "set", takes: func(_ *reader, data string) bool { return data != "" }},
	"SetCredentialEncrypted":  {list: "set", encrypted: true, takes: isBase64},
}

// decrypts reports whether the service has encrypted credentials.
func (r *reader) decrypts(*exposure.Service) bool {
	encrypted := map[string]map[string]bool{"load": {}, "set": {}}
	for _, a := range r.read {
		how, ok := credentialLists[a.Name]
		if !ok || a.Section != "Service" {
			continue
		}
		if a.Value == "" {
			clear(encrypted[how.list])
			continue
		}
		name, data, _ := strings.Cut(a.Value, ":")
		if name, err := r.expand(name); err == nil && isCredentialName(name) && how.takes(r, data) {
			encrypted[how.list][name] = how.encrypted
		}
	}
	for _, list := range encrypted {
		for _, yes := range list {
			if yes {
				return true
			}
		}
	}
	return false
}

// isSource reports whether a credential can be loaded from source: a path, the name of a credential of the manager, or
// "", which means the credential's own name.
func (r *reader) isSource(source string) bool {
	text, err := r.expand(source)
	if err != nil || text == "" {
		return err == nil
	}
	if !path.IsAbs(text) {
		return isCredentialName(text)
	}
	_, ok := values.SimplifyPath(text, r.Version)
	return ok
}

// isCredentialName reports whether systemd accepts a name for a credential: one that is valid for a file and for a file
// descriptor.
func isCredentialName(name string) bool {
	bad := func(c rune) bool { return c < ' ' || c > '~' || c == '/' || c == ':' }
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.ContainsFunc(name, bad)
}

func isBase64(_ *reader, data string) bool {
	data = strings.Join(strings.Fields(data), "")
	_, err := base64.StdEncoding.DecodeString(data)
	return data != "" && err == nil
}
