package profiles

import (
	"crypto/sha256"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"temper/internal/directive"
	"temper/internal/tomlpos"
)

// MaxSize is the largest size of a profile in bytes. The largest real profiles have a tenth of it, and it limits how
// long a hostile one can delay a boot.
const MaxSize = 64 << 10

// The keys of each table, as messages list them.
var (
	topKeys = []string{
		"description", "units", "extends", "apply", "draft", "secrets", "secrets_for", "service", "prove", "check",
	}
	proveKeys = []string{
		"settle", "timeout", "reload", "restart", "setup", "container_setup", "like_baseline", "expect",
		"state", "exposure",
	}
	states = []string{StateKeep, StateRestore}
)

// homeOf returns the table to which a key belongs, or "" if no table or several tables have it.
func homeOf(key string) string {
	_, isDirective := directive.Lookup(key)
	switch {
	case isDirective:
		return "under [service]"
	case slices.Contains(topKeys, key):
		return "at the top, above the first [table]"
	case isOnlyOfProve(key):
		return "under [prove]"
	}
	return ""
}

// isOnlyOfProve reports whether a key belongs to [prove] and to no other table.
func isOnlyOfProve(key string) bool {
	return slices.Contains(proveKeys, key) && key != "timeout" && key != "expect"
}

// where describes for a message where a path of the document is.
func where(path string) string {
	if path == "" {
		return "at the top of a profile"
	}
	return "in " + tableName(path)
}

// tableName is the name of the table at a path in messages.
func tableName(path string) string {
	switch {
	case strings.Contains(path, "]."):
		return path[strings.LastIndex(path, "].")+2:] + " check"
	case strings.HasPrefix(path, "check["):
		return "[[check]]"
	}
	return "[" + path + "]"
}

// own is one profile file before its bases are applied.
type own struct {
	Profile
	prove    map[string]bool // the keys of [prove] that it sets
	extends  []Finding       // for each element of Extends, its position; Message is not set
	findings []Finding       // what is wrong with the file; if there are any, the other fields do not count
	masked   bool            // a link to /dev/null
	behind   *own            // the next file of this name, if this one extends it
	sum      [sha256.Size]byte
	unread   []byte // the file, where only its head was read
}

// parse reads one file. path is the path in positions.
func parse(name, path string, data []byte) *own {
	o := &own{Profile: Profile{Name: name, Path: path}, sum: sha256.Sum256(data)}
	r := &reader{path: path}
	defer func() { o.findings = r.findings; SortFindings(o.findings) }()
	if len(data) > MaxSize {
		message := fmt.Sprintf("has %d bytes, want at most %d", len(data), MaxSize)
		r.findings = []Finding{{ID: IDUnreadable, Path: path, Message: message}}
		return o
	}
	doc := strings.TrimPrefix(string(data), "\ufeff")
	var deep int
	if r.positions, deep = tomlpos.Locate(doc); deep > 0 {
		r.findings = append(r.findings, Finding{
			ID: IDSyntax, Path: path, Line: deep, Message: fmt.Sprintf("keys nest deeper than %d", tomlpos.MaxDepth),
			Fix: "a profile needs four",
		})
		return o
	}
	var values map[string]any
	if _, err := toml.Decode(doc, &values); err != nil {
		r.findings = append(r.findings, SyntaxFinding(path, err))
		return o
	}
	o.read(table{reader: r, values: values})
	return o
}

func (o *own) read(t table) {
	t.only(topKeys)
	o.Description = t.line("description")
	o.Units = t.each("units", unitPattern)
	o.SecretsFor = t.each("secrets_for", unitPattern)
	o.Secrets = t.each("secrets", absolute)
	o.Apply = t.each("apply", applicable)
	o.Draft = t.bool("draft", false)
	o.Extends = t.each("extends", profileName)
	for i, name := range o.Extends {
		pos := t.pos(tomlpos.Element("extends", i))
		o.extends = append(o.extends, Finding{Path: pos.Path, Line: pos.Line, Fix: name})
	}
	o.service(t.table("service"))
	o.readProve(t.table("prove"))
	o.checks(t.tables("check"))
}

// each reads a list of strings and keeps those that test accepts. For any other string, test returns the ID, message
// and fix of a finding.
func (t table) each(key string, test func(string) (id, message, fix string)) []string {
	var good []string
	for i, s := range t.texts(key) {
		id, message, fix := test(s)
		if at := strings.IndexFunc(s, unicode.IsControl); at >= 0 {
			id, message, fix = IDBadText, fmt.Sprintf("%q holds a control character", s), ""
		}
		if id == "" && slices.Contains(good, s) {
			id, message, fix = IDBadName, fmt.Sprintf("%q is there twice", s), "leave one out"
		}
		if id != "" {
			t.report(id, tomlpos.Element(tomlpos.Child(t.path, key), i), fix, "%s: %s", key, message)
			continue
		}
		good = append(good, s)
	}
	return good
}

var (
	nameRule = &rule{expr: `^[A-Za-z0-9_][A-Za-z0-9_.@:-]*$`}
	// unitRule allows what systemd.unit(5) allows in a unit name, and the wildcards of a glob.
	unitRule = &rule{expr: `^[A-Za-z0-9:_.\\@*?\[\]!^-]+$`}
)

// rule is a regular expression that is compiled at its first use, since a boot does not use most of them.
type rule struct {
	expr     string
	once     sync.Once
	compiled *regexp.Regexp
}

func (r *rule) matches(s string) bool {
	r.once.Do(func() { r.compiled = regexp.MustCompile(r.expr) })
	return r.compiled.MatchString(s)
}

// profileName accepts "nginx" and "base/daemon".
func profileName(s string) (id, message, fix string) {
	ok := nameRule.matches(strings.TrimPrefix(s, "base/")) && len(s) < 200
	switch bare, isFile := strings.CutSuffix(s, ".toml"); {
	case ok && isFile:
		return IDBadName, fmt.Sprintf("%q is a file, not the name of a profile", s), fmt.Sprintf("write %q", bare)
	case ok:
		return "", "", ""
	}
	return IDBadName, fmt.Sprintf("%q is no name of a profile", s), `want one such as "nginx" or "base/daemon"`
}

// applicable accepts the results of proving a unit that may be applied.
func applicable(s string) (id, message, fix string) {
	if !slices.Contains(Applicable, s) {
		return IDBadChoice, fmt.Sprintf("%q is no result that can be applied", s),
			"want " + strings.Join(Applicable, ", ")
	}
	return "", "", ""
}

// unitPattern accepts the names, templates and globs of service units.
func unitPattern(s string) (id, message, fix string) {
	if IsGlob(s) {
		if _, err := path.Match(newGlob(s, nil).pattern, ""); err != nil {
			return IDBadName, fmt.Sprintf("%q is no glob", s), "close the bracket"
		}
	}
	switch {
	case strings.HasSuffix(s, ".service") && len(s) <= 255 && s != ".service" && s[0] != '@' && unitRule.matches(s):
		return "", "", ""
	case nameRule.matches(s) && !strings.Contains(s, "."):
		return IDBadName, fmt.Sprintf("%q is no service unit", s), fmt.Sprintf("write %q", s+".service")
	}
	return IDBadName, fmt.Sprintf(
		"%q is no service unit",
		s,
	), `want a name or glob such as "nginx.service" or "php*-fpm.service"`
}

// absolute accepts clean absolute paths without characters that have a meaning in a unit file.
func absolute(s string) (id, message, fix string) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return IDBadPath, fmt.Sprintf("%q is no absolute path", s), `want one such as "/etc/letsencrypt"`
	case path.Clean(s) != s:
		return IDBadPath, fmt.Sprintf("%q is not the shortest spelling", s), fmt.Sprintf("write %q", path.Clean(s))
	case s == "/":
		return IDBadPath, `"/" is everything`, "name what is secret"
	case strings.ContainsAny(s, " \"'\\%"):
		return IDBadPath, fmt.Sprintf(
			"%q holds a blank, quote, backslash or %%, which unit files read otherwise",
			s,
		), "name its directory"
	}
	return "", "", ""
}

func (o *own) service(t table) {
	for _, name := range t.keys() {
		at := tomlpos.Child(t.path, name)
		before := len(t.findings)
		values := t.assignments(name)
		if len(t.findings) > before {
			continue
		}
		d, ok := directive.Lookup(name)
		if !ok {
			t.notADirective(name)
			continue
		}
		if err := d.Check(values); err != nil {
			for _, err := range eachFault(d, values, err) {
				t.report(IDBadValue, at, "", "[service] %v", err)
				t.findings[len(t.findings)-1].Directive = name
			}
			continue
		}
		o.Service = append(o.Service, Setting{Name: name, Values: values, Pos: t.pos(at), Profile: o.Name})
	}
}

// eachFault returns what is wrong with each word of the values of a directive, of which whole is the first fault.
func eachFault(d *directive.Directive, values []string, whole error) []error {
	faults := []error{whole}
	for _, value := range values {
		words := strings.Fields(value)
		for i, word := range words {
			if i > 0 && strings.HasPrefix(words[0], "~") {
				word = "~" + word
			}
			err := d.Check([]string{word})
			if err != nil && !slices.ContainsFunc(faults, func(f error) bool { return f.Error() == err.Error() }) {
				faults = append(faults, err)
			}
		}
	}
	if len(values) == 1 && len(strings.Fields(values[0])) == 1 {
		return faults[:1]
	}
	return faults
}

// notADirective reports a key of [service] that the table of directives does not have.
func (t table) notADirective(name string) {
	id, message, fix := IDUnknownDirective, "is no directive", ""
	old, near := oldNames[name], directive.Suggest(name)
	switch {
	case old != "":
		fix = "write " + old
	case foreign(name):
		id, message, fix = IDNotSandboxing, "is no sandboxing directive", "set it in a drop-in of your own"
	case slices.Contains(topKeys, name) || isOnlyOfProve(name):
		id, message = IDMisplacedKey, "does not belong here but "+homeOf(name)
	case near != "":
		fix = "write " + near
	}
	t.report(id, tomlpos.Child(t.path, name), fix, "[service] %q %s", name, message)
	t.findings[len(t.findings)-1].Directive = name
}

// assignments reads the value of a directive: a string, a boolean or a list of strings.
func (t table) assignments(key string) []string {
	var values []string
	switch v := t.values[key].(type) {
	case bool:
		values = []string{map[bool]string{true: "yes", false: "no"}[v]}
	case string:
		values = []string{v}
	case []any:
		if values = t.texts(key); len(v) == 0 {
			values = []string{""}
		}
	case int64:
		t.wrong(key, fmt.Sprintf(`a string, a boolean or a list: write "%d"`, v), v)
	default:
		t.wrong(key, "a string, a boolean or a list", v)
	}
	for i, v := range values {
		if problem := breaksLine(v); problem != "" {
			t.report(IDBadText, tomlpos.Element(tomlpos.Child(t.path, key), i), "", "[service] %s= %s", key, problem)
			t.findings[len(t.findings)-1].Directive = key
		}
		values[i] = strings.TrimSpace(v)
	}
	return values
}

// breaksLine says how a value would change another line of a unit file than its own, or "" if it would not.
func breaksLine(v string) string {
	if at := strings.IndexFunc(v, unicode.IsControl); at >= 0 {
		r, _ := utf8.DecodeRuneInString(v[at:])
		return fmt.Sprintf("holds the control character %q", r)
	}
	if strings.HasSuffix(strings.TrimSpace(v), `\`) {
		return "ends in a backslash, which would swallow the next line"
	}
	return ""
}

func (o *own) readProve(t table) {
	t.only(proveKeys)
	d := DefaultProve()
	o.Prove = Prove{
		Settle:       t.duration("settle", 0, d.Settle),
		Timeout:      t.duration("timeout", 100*time.Millisecond, d.Timeout),
		Reload:       t.bool("reload", d.Reload),
		Restart:      t.bool("restart", d.Restart),
		Setup:        t.setup("setup"),
		LikeBaseline: t.bool("like_baseline", d.LikeBaseline),
		Expect:       t.expected("expect"),
		State:        t.choice("state", states, d.State),
		Exposure:     t.score("exposure"),

		ContainerSetup: t.setup("container_setup"),
	}
	o.prove = make(map[string]bool, len(t.values))
	for key := range t.values {
		o.prove[key] = true
	}
}

// setup reads commands that run before the service does: no placeholder stands for where it listens yet.
func (t table) setup(key string) []string {
	list := t.texts(key)
	for i, text := range list {
		if at := placeholder.FindString(strings.ReplaceAll(text, "${", "$")); at != "" {
			t.report(IDBadText, tomlpos.Element(tomlpos.Child(t.path, key), i),
				"write the address, or move the command into a check, which runs while the service listens",
				"[prove] %s: %s stands for nothing before the service listens", key, at)
		}
	}
	return list
}

// expected reads the differences from the baseline that are meant.
func (t table) expected(key string) []string {
	list := t.texts(key)
	for i, text := range list {
		_, err := path.Match(text, "")
		if text == "" || strings.HasPrefix(text, "/") && (err != nil || path.Clean(text) != text || text == "/") {
			t.report(IDBadText, tomlpos.Element(tomlpos.Child(t.path, key), i),
				"write a path without . and .., in which * and ? may stand for a part of one name, or a part of a line",
				"[prove] %s: %q is neither a pattern of a path nor a part of a line of the log", key, text)
		}
	}
	return list
}
