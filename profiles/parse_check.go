package profiles

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"temper/internal/plain"
	"temper/internal/tomlpos"
)

// kinds are the kinds of checks: the keys of each, and the function that reads its table into a check. The value of
// exec may also be a list.
var kinds = []struct {
	name string
	keys []string
	read func(c *Check, t table) (target string)
}{
	{"http", []string{"url", "method", "headers", "send", "status", "body"}, readHTTP},
	{"tcp", []string{"address", "send", "expect"}, func(c *Check, t table) string {
		c.TCP = readStream(t)
		return c.TCP.Address
	}},
	{"udp", []string{"address", "send", "expect"}, func(c *Check, t table) string {
		c.UDP = readStream(t)
		return c.UDP.Address
	}},
	{"unix", []string{"path", "send", "expect"}, readUnix},
	{"exec", []string{"command", "user", "stdin", "status", "stdout"}, readExec},
	{"file", []string{"path", "exists", "contains", "mode", "owner"}, readFile},
	{"dbus", []string{"name", "path", "interface", "method", "args"}, readDBus},
	{"journal", []string{"must", "must_not"}, readJournal},
}

var checkKeys = sync.OnceValue(func() []string {
	keys := []string{"name", "required", "timeout", "retry", "phase", "live", "requires"}
	for _, k := range kinds {
		keys = append(keys, k.name)
	}
	return keys
})

// kindOf returns the kind of check that has a key, or "" if none or several have it.
func kindOf(key string) string {
	found := ""
	for _, k := range kinds {
		if slices.Contains(k.keys, key) {
			if found != "" {
				return ""
			}
			found = k.name
		}
	}
	return found
}

func (o *own) checks(ts []table) {
	lines := map[string]int{}
	for _, t := range ts {
		c, ok := readCheck(t)
		if !ok {
			continue
		}
		for n, bare := 2, c.Name; !t.has("name") && lines[c.Name] > 0; n++ {
			c.Name = fmt.Sprintf("%s (%d)", bare, n)
		}
		if line := lines[c.Name]; line > 0 {
			t.report(IDBadCheck, t.path, "give each its own name", "check %q is already there in line %d", c.Name, line)
			continue
		}
		lines[c.Name] = c.Pos.Line
		o.Checks = append(o.Checks, c)
	}
}

// readCheck reads one [[check]]; ok is false if it has no kind or several.
func readCheck(t table) (c Check, ok bool) {
	t.only(checkKeys())
	c = Check{
		Name:     t.line("name"),
		Required: t.bool("required", true),
		Timeout:  t.duration("timeout", time.Millisecond, DefaultCheckTimeout),
		Retry:    t.duration("retry", 0, DefaultCheckRetry),
		Phase:    t.choice("phase", phases, ""),
		Live:     t.bool("live", false),
		Requires: t.each("requires", programOrPath),
		Pos:      t.pos(t.path),
	}
	var have []string
	for _, k := range kinds {
		if t.has(k.name) {
			have = append(have, k.name)
		}
	}
	if len(have) != 1 {
		t.reportKinds(have)
		return c, false
	}
	k := kinds[slices.Index(checkKeys(), have[0])-len(checkKeys())+len(kinds)]
	sub, ok := t.kindTable(k.name)
	if !ok {
		return c, false
	}
	sub.only(k.keys)
	target := k.read(&c, sub)
	if c.Name == "" {
		c.Name = strings.TrimSpace(k.name + " " + short(target))
	}
	return c, true
}

var programRule = &rule{expr: `^[A-Za-z0-9_\[][A-Za-z0-9_.+-]*$`}

// programOrPath accepts the name of a program and an absolute path.
func programOrPath(s string) (id, message, fix string) {
	switch {
	case pathRule.matches(s) && path.Clean(s) != s:
		return IDBadCheck, fmt.Sprintf("%q is not the shortest spelling", s), fmt.Sprintf("write %q", path.Clean(s))
	case pathRule.matches(s) || programRule.matches(s):
		return "", "", ""
	}
	return IDBadCheck, fmt.Sprintf("%q is neither a program nor an absolute path", s),
		`want one such as "avahi-resolve" or "/etc/passwd"`
}

// short cuts a text that is used as a name.
func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

func (t table) reportKinds(have []string) {
	if len(have) > 1 {
		t.report(IDBadCheck, t.path, "write one [[check]] for each", "check has %s", strings.Join(have, " and "))
		return
	}
	names := checkKeys()[len(checkKeys())-len(kinds):]
	t.report(IDBadCheck, t.path, "want one of "+strings.Join(names, ", "), "check has no kind")
}

// kindTable returns the table of a kind; a list, which exec allows, becomes its command.
func (t table) kindTable(name string) (table, bool) {
	list, isList := t.values[name].([]any)
	_, isText := t.values[name].(string)
	switch {
	case isText && name == "exec":
		t.wrong(name, `a list such as ["nginx", "-t"]`, t.values[name])
		return t, false
	case isList && name == "exec":
		sub := table{reader: t.reader, path: tomlpos.Child(t.path, name)}
		sub.values = map[string]any{"command": list}
		for i := range list { // elements are reported at their own position
			t.positions[tomlpos.Element(tomlpos.Child(sub.path, "command"), i)] = t.positions.Of(
				tomlpos.Element(sub.path, i),
			)
		}
		return sub, true
	}
	sub := t.table(name)
	return sub, sub.values != nil
}

// bad reports a key with which a check cannot work.
func (t table) bad(key, fix, format string, args ...any) {
	t.report(IDBadCheck, tomlpos.Child(t.path, key), fix, "%s", fmt.Sprintf(format, args...))
}

// need reads a required string that must satisfy a rule.
func (t table) need(key string, rule *rule, example string) string {
	s := t.line(key)
	if _, isText := t.values[key].(string); t.has(key) && !isText {
		return ""
	}
	switch {
	case !t.has(key):
		t.bad(key, fmt.Sprintf("write %s = %q", key, example), "%s has no %s", tableName(t.path), key)
	case !rule.matches(s):
		t.bad(key, fmt.Sprintf("want one such as %q", example), "%s %q is not valid", key, s)
	}
	return s
}

// needAddress reads the required address of a server, with a port, or with placeholders for where the service listens.
func (t table) needAddress() string {
	s := t.line("address")
	if s == "" || s == example(s) {
		return t.need("address", addressRule, "127.0.0.1:6379")
	}
	if !addressRule.matches(example(s)) {
		t.bad("address", `want one such as "{address:6379}"`, "address %q is not valid", s)
	}
	return s
}

// may reads an optional string that must satisfy a rule if it is there.
func (t table) may(key string, rule *rule, example string) string {
	if !t.has(key) {
		return ""
	}
	return t.need(key, rule, example)
}

func (t table) pattern(key string) Pattern {
	p := Pattern(t.text(key))
	if expr, ok := p.expression(); ok {
		t.compiles(tomlpos.Child(t.path, key), key, strings.TrimPrefix(expr, multiline))
	}
	return p
}

func (t table) compiles(path, key, expr string) {
	if _, err := regexp.Compile(expr); err != nil {
		reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		t.report(IDBadCheck, path, "see the syntax of RE2", "%s is no regular expression, %s", key, reason)
	}
}

var (
	urlRule     = &rule{expr: `^https?://`}
	methodRule  = &rule{expr: `^[A-Z]+$`}
	headerRule  = &rule{expr: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"}
	userRule    = &rule{expr: `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`}
	ownerRule   = &rule{expr: `^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`}
	modeRule    = &rule{expr: `^[0-7]{3,4}$`}
	pathRule    = &rule{expr: `^/`}
	socketRule  = &rule{expr: `^[/@].`}
	busRule     = &rule{expr: `^[A-Za-z_-][A-Za-z0-9_-]*(\.[A-Za-z_-][A-Za-z0-9_-]*)+$`}
	objectRule  = &rule{expr: `^(/|(/[A-Za-z0-9_]+)+)$`}
	ifaceRule   = &rule{expr: `^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`}
	memberRule  = &rule{expr: `^[A-Za-z_][A-Za-z0-9_]*$`}
	addressRule = &rule{expr: `^(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$`}
)

func readHTTP(c *Check, t table) string {
	h := &HTTPCheck{
		URL:     t.need("url", urlRule, "http://127.0.0.1/"),
		Method:  t.may("method", methodRule, "GET"),
		Headers: map[string]string{},
		Send:    t.text("send"),
		Status:  t.number("status", 100, 599, 200),
		Body:    t.pattern("body"),
	}
	if u, err := url.Parse(example(h.URL)); h.URL != "" && (err != nil || u.Host == "") {
		t.bad("url", `want one such as "http://127.0.0.1/"`, "url %q is not valid", h.URL)
	}
	if h.Method == "" {
		h.Method = "GET"
	}
	headers := t.table("headers")
	for _, name := range headers.keys() {
		if !headerRule.matches(name) {
			headers.bad(name, "", "%q is no name of a header", name)
			continue
		}
		h.Headers[name] = headers.line(name)
	}
	c.HTTP = h
	return h.URL
}

// octet matches how a value writes any byte. In double quotes TOML itself reads it, as a character.
var octet = regexp.MustCompile(`\\x[0-9A-Fa-f]{2}`)

// octets reads a string that can have any byte.
func (t table) octets(key string) string {
	s, ok := t.values[key].(string)
	if !ok {
		return t.text(key)
	}
	return octet.ReplaceAllStringFunc(s, func(escape string) string {
		b, _ := strconv.ParseUint(escape[2:], 16, 8) // it has two hexadecimal digits
		return string([]byte{byte(b)})
	})
}

func readStream(t table) *StreamCheck {
	s := &StreamCheck{
		Address: t.needAddress(),
		Send:    t.octets("send"),
		Expect:  t.pattern("expect"),
	}
	address := example(s.Address)
	port, err := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	if err == nil && (port < 1 || port > 65535) {
		t.bad("address", "want a port from 1 to 65535", "address is %q", s.Address)
	}
	return s
}

func readUnix(c *Check, t table) string {
	c.Unix = &StreamCheck{
		Address: t.need("path", socketRule, "/run/example.sock"),
		Send:    t.octets("send"),
		Expect:  t.pattern("expect"),
	}
	return c.Unix.Address
}

func readExec(c *Check, t table) string {
	c.Exec = &ExecCheck{
		Command: t.texts("command"),
		User:    t.may("user", userRule, "nobody"),
		Stdin:   t.text("stdin"),
		Status:  t.number("status", 0, 255, 0),
		Stdout:  t.pattern("stdout"),
	}
	list, isList := t.values["command"].([]any)
	if !t.has("command") || isList && (len(list) == 0 || list[0] == "") { // any other mistake has been reported
		t.bad("command", `want a list such as ["nginx", "-t"]`, "exec has no command")
	}
	return plain.Line(strings.Join(c.Exec.Command, " "))
}

func readFile(c *Check, t table) string {
	c.File = &FileCheck{
		Path:     t.need("path", pathRule, "/run/example.pid"),
		Exists:   t.bool("exists", true),
		Contains: t.pattern("contains"),
		Mode:     t.may("mode", modeRule, "0640"),
		Owner:    t.may("owner", ownerRule, "root:adm"),
	}
	if f := c.File; !f.Exists && (f.Contains != "" || f.Mode != "" || f.Owner != "") {
		t.bad("exists", "leave out contains, mode and owner", "a file that must not exist has none of them")
	}
	return c.File.Path
}

func readDBus(c *Check, t table) string {
	c.DBus = &DBusCheck{
		Name:      t.need("name", busRule, "org.freedesktop.hostname1"),
		Path:      t.need("path", objectRule, "/org/freedesktop/hostname1"),
		Interface: t.need("interface", ifaceRule, "org.freedesktop.DBus.Peer"),
		Method:    t.need("method", memberRule, "Ping"),
		Args:      t.texts("args"),
	}
	return c.DBus.Name + " " + c.DBus.Method
}

func readJournal(c *Check, t table) string {
	c.Journal = &JournalCheck{Must: t.textOrTexts("must"), MustNot: t.textOrTexts("must_not")}
	for key, list := range map[string][]string{"must": c.Journal.Must, "must_not": c.Journal.MustNot} {
		for i, expr := range list {
			t.compiles(tomlpos.Element(tomlpos.Child(t.path, key), i), key, expr)
		}
	}
	if !t.has("must") && !t.has("must_not") {
		t.bad("", "want must, must_not or both", "journal looks for nothing")
	}
	return plain.Line(strings.Join(slices.Concat(c.Journal.Must, c.Journal.MustNot), " "))
}
