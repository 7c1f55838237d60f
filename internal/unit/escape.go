package unit

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Escape makes any string valid as a part of a unit name, as systemd-escape does: "/" becomes "-". A "-", a dot at the
// beginning and every other character that names cannot have become \xNN.
func Escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '/':
			b.WriteByte('-')
		case c == '-' || c == '\\' || !inName(c) || c == '.' && i == 0:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape undoes [Escape].
func Unescape(s string) (string, error) {
	if !strings.ContainsAny(s, `-\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '-':
			b.WriteByte('/')
		case '\\':
			c, ok := hexByte(s[i+1:])
			if !ok {
				return "", fmt.Errorf("%q: wrong escape at %q, want \\xNN", s, s[i:])
			}
			b.WriteByte(c)
			i += 3
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// EscapePath makes a unit name from a path as systemd-escape --path does: /dev/sda becomes dev-sda, and / becomes "-".
// It returns an error for a path with ".." in it, and for ".".
func EscapePath(name string) (string, error) {
	if name == "." || slices.Contains(strings.Split(name, "/"), "..") {
		return "", fmt.Errorf("%q has no name, want a path without \"..\"", name)
	}
	if name = strings.Trim(path.Clean("/"+name), "/"); name == "" {
		return "-", nil
	}
	return Escape(name), nil
}

// UnescapePath undoes [EscapePath]; the path is absolute.
func UnescapePath(s string) (string, error) {
	if s == "-" {
		return "/", nil
	}
	name, err := Unescape(s)
	if err != nil {
		return "", err
	}
	if name == "" || path.Clean("/"+name) != "/"+name {
		return "", fmt.Errorf("%q: is no escaped path", s)
	}
	return "/" + name, nil
}

// hexByte reads the "xNN" that s begins with.
func hexByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != 'x' {
		return 0, false
	}
	hi, lo := strings.IndexByte(hexDigits, lower(s[1])), strings.IndexByte(hexDigits, lower(s[2]))
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return c + 'a' - 'A'
	}
	return c
}
