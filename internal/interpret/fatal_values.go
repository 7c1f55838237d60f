package interpret

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"temper/internal/unit"
)

// fatal are the directives for which systemd refuses the unit if the value is wrong, with the first version that has
// them.
var fatal = map[string]struct {
	since int
	check func(*reader, unit.Assignment) error
}{
	"User":                {0, (*reader).checkUser},
	"Group":               {0, (*reader).checkUser},
	"SupplementaryGroups": {0, (*reader).checkGroups},
	"DynamicUser":         {0, (*reader).checkDynamicUser},
	"WorkingDirectory":    {0, (*reader).checkWorkingDirectory},
	"RootDirectory":       {0, (*reader).checkPath},
	"RootImage":           {0, (*reader).checkPath},
	"RootVerity":          {0, (*reader).checkPath},
	"SELinuxContext":      {0, (*reader).checkLabel},
	"AppArmorProfile":     {0, (*reader).checkLabel},
	"SmackProcessLabel":   {0, (*reader).checkLabel},
	"ExecCondition":       {0, (*reader).checkCommands},
	"ExecStartPre":        {0, (*reader).checkCommands},
	"ExecStart":           {0, (*reader).checkCommands},
	"ExecStartPost":       {0, (*reader).checkCommands},
	"ExecReload":          {0, (*reader).checkCommands},
	"ExecReloadPost":      {258, (*reader).checkCommands},
	"ExecStop":            {0, (*reader).checkCommands},
	"ExecStopPost":        {0, (*reader).checkCommands},
}

func (r *reader) checkUser(a unit.Assignment) error {
	if a.Value == "" {
		return nil
	}
	name, err := r.expand(a.Value)
	if err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	if !validUser(name) {
		return fmt.Errorf("%s=%s is no valid name or number", a.Name, name)
	}
	return nil
}

// checkGroups adds the groups before the first one that is wrong.
func (r *reader) checkGroups(a unit.Assignment) error {
	if a.Value == "" {
		r.groups = nil
	}
	for _, word := range strings.Fields(a.Value) {
		if err := r.checkUser(unit.Assignment{Name: a.Name, Value: word}); err != nil {
			return err
		}
		r.groups = append(r.groups, word)
	}
	return nil
}

func (r *reader) checkDynamicUser(a unit.Assignment) error {
	if _, ok := unit.Bool(a.Value); !ok {
		return fmt.Errorf("%s=%s is no boolean, want yes or no", a.Name, a.Value)
	}
	return nil
}

func (r *reader) checkWorkingDirectory(a unit.Assignment) error {
	if a.Value == "" || a.Value == "~" || strings.HasPrefix(a.Value, "-") {
		return nil
	}
	return r.checkPath(a)
}

func (r *reader) checkPath(a unit.Assignment) error {
	if a.Value == "" {
		return nil
	}
	if _, err := r.absolute(a.Value); err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	return nil
}

// checkLabel checks the name of a security label; after "-" no error is fatal.
func (r *reader) checkLabel(a unit.Assignment) error {
	if strings.HasPrefix(a.Value, "-") {
		return nil
	}
	if _, err := r.expand(a.Value); err != nil {
		return fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
	}
	return nil
}

// validUser reports whether systemd accepts a name as that of a user or group, which need not exist: a number without
// sign or leading zero, or nearly any text. See "User/Group Name Syntax" in systemd's documentation.
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
