package analyzer

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// validUser reports whether systemd takes a name for a user or group, existing or not: a number without sign or leading
// zero, or nearly any text. See "User/Group Name Syntax" in systemd's documentation.
func validUser(name string) bool {
	if isUID(name) {
		return true
	}
	digits := strings.TrimPrefix(name, "-")
	switch {
	case name == "" || name == "." || name == "..":
		return false
	case strings.HasPrefix(name, " ") || strings.HasSuffix(name, " "):
		return false
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsAny(name, ":/"):
		return false
	case strings.Trim(digits, "0123456789") == "":
		return false
	}
	return true
}

// isUID reports whether a name is a number that can be a user: not 65535 or 4294967295, which mean "none".
func isUID(name string) bool {
	n, err := strconv.ParseUint(name, 10, 32)
	return err == nil && name == strconv.FormatUint(n, 10) && n != math.MaxUint16 && n != math.MaxUint32
}
