package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"temper/internal/hint"
	"temper/internal/tomlpos"
	"temper/internal/unit"
)

// reader turns one decoded document into a profile and collects what is wrong with it.
type reader struct {
	path      string
	positions tomlpos.Positions
	findings  []Finding
}

func (r *reader) pos(path string) unit.Position {
	return unit.Position{Path: r.path, Line: r.positions.Of(path).Line}
}

// report records a problem of the value at a path of the document.
func (r *reader) report(id, path, fix, format string, args ...any) {
	r.findings = append(r.findings, Finding{
		ID: id, Path: r.path, Line: r.positions.Of(path).Line, Message: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// table is one table of the document. If a key is missing, its methods return the zero value or the default; if a value
// is wrong, they report that and do the same.
type table struct {
	*reader
	path   string // of the table in the document, "" at the top
	values map[string]any
}

// has reports whether a key is there.
func (t table) has(key string) bool { _, ok := t.values[key]; return ok }

// only reports every key that is not in known.
func (t table) only(known []string) {
	for _, key := range t.keys() {
		if slices.Contains(known, key) {
			continue
		}
		if home := homeOf(key); home != "" {
			t.report(
				IDMisplacedKey,
				tomlpos.Child(t.path, key),
				"",
				"%s does not belong %s but %s",
				key,
				where(t.path),
				home,
			)
			continue
		}
		if kind := kindOf(key); kind != "" && tableName(t.path) == "[[check]]" {
			t.report(
				IDMisplacedKey,
				tomlpos.Child(t.path, key),
				fmt.Sprintf("write %s = { %s = ... }", kind, key),
				"%s does not belong %s",
				key,
				where(t.path),
			)
			continue
		}
		fix := "there are " + strings.Join(known, ", ")
		if near := hint.Nearest(key, known); near != "" {
			fix = "write " + near
		}
		t.report(IDUnknownKey, tomlpos.Child(t.path, key), fix, "unknown key %q %s", key, where(t.path))
	}
}

// keys returns the keys in the order of the document.
func (t table) keys() []string {
	return slices.SortedFunc(maps.Keys(t.values), func(a, b string) int {
		x, y := t.positions[tomlpos.Child(t.path, a)], t.positions[tomlpos.Child(t.path, b)]
		if x.Order != y.Order {
			return x.Order - y.Order
		}
		return strings.Compare(a, b)
	})
}

// text reads a string that may have any character except NUL, which ends a string outside of TOML.
func (t table) text(key string) string {
	v, ok := t.values[key]
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, "a string", v)
		return ""
	}
	return t.noNUL(tomlpos.Child(t.path, key), key, s)
}

func (r *reader) noNUL(path, key, s string) string {
	if strings.ContainsRune(s, 0) {
		r.report(IDBadText, path, "", "%s holds a NUL character", key)
		return ""
	}
	return s
}

// line reads a string without control characters.
func (t table) line(key string) string {
	s := t.text(key)
	if at := strings.IndexFunc(s, unicode.IsControl); at >= 0 {
		t.report(IDBadText, tomlpos.Child(t.path, key), "", "%s holds the control character %q", key, s[at:at+1])
		return ""
	}
	return s
}

// texts reads a list of strings.
func (t table) texts(key string) []string {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		t.wrong(key, "a list of strings", v)
		return nil
	}
	var all []string
	for i, item := range items {
		path := tomlpos.Element(tomlpos.Child(t.path, key), i)
		s, ok := item.(string)
		if !ok {
			t.report(IDWrongType, path, "want a string", "%s holds %s", key, typeName(item))
			continue
		}
		if s == "" || t.noNUL(path, key, s) != "" {
			all = append(all, s)
		}
	}
	return all
}

// textOrTexts reads a list of strings, or one string as a list of one.
func (t table) textOrTexts(key string) []string {
	if s, ok := t.values[key].(string); ok {
		return []string{t.noNUL(tomlpos.Child(t.path, key), key, s)}
	}
	return t.texts(key)
}

func (t table) bool(key string, otherwise bool) bool {
	v, ok := t.values[key]
	if !ok {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		t.wrong(key, "true or false", v)
		return otherwise
	}
	return b
}

// number reads an integer from low to high.
func (t table) number(key string, low, high, otherwise int) int {
	v, ok := t.values[key]
	if !ok {
		return otherwise
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		t.wrong(key, fmt.Sprintf("a number such as %d", otherwise), v)
	case n < int64(low) || n > int64(high):
		t.report(IDBadChoice, tomlpos.Child(t.path, key), fmt.Sprintf("want %d to %d", low, high), "%s is %d", key, n)
	default:
		return int(n)
	}
	return otherwise
}

// score reads an exposure; 0 stands for none.
func (t table) score(key string) float64 {
	v, ok := t.values[key]
	if !ok {
		return 0
	}
	n, ok := v.(float64)
	if whole, isWhole := v.(int64); isWhole {
		n, ok = float64(whole), true
	}
	switch {
	case !ok:
		t.wrong(key, "a number such as 2.0", v)
	case !(n > 0 && n <= 10): // written so that NaN is refused too
		t.report(IDBadChoice, tomlpos.Child(t.path, key), "want more than 0.0, at most 10.0", "%s is %v", key, v)
	default:
		return n
	}
	return 0
}

// duration reads a duration of at least low.
func (t table) duration(key string, low, otherwise time.Duration) time.Duration {
	v, ok := t.values[key]
	if !ok {
		return otherwise
	}
	s, ok := v.(string)
	if !ok {
		t.wrong(key, fmt.Sprintf("a duration such as %q", brief(otherwise)), v)
		return otherwise
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		fix := fmt.Sprintf("want one such as %q", brief(otherwise))
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			fix = fmt.Sprintf("write %q", s+"s")
		}
		t.report(IDBadDuration, tomlpos.Child(t.path, key), fix, "%s is %q, which is no duration", key, s)
	case d < low || d > MaxDuration:
		t.report(
			IDBadDuration,
			tomlpos.Child(t.path, key),
			fmt.Sprintf("want %s to %s", brief(low), brief(MaxDuration)),
			"%s is %s",
			key,
			s,
		)
	default:
		return d
	}
	return otherwise
}

// choice reads one of these words; "" means that the key is missing.
func (t table) choice(key string, words []string, otherwise string) string {
	s := t.text(key)
	if s == "" && !t.has(key) || slices.Contains(words, s) {
		if s == "" {
			return otherwise
		}
		return s
	}
	if _, isText := t.values[key].(string); isText {
		fix := "want " + strings.Join(words, ", ")
		if near := hint.Nearest(s, words); near != "" {
			fix = "write " + strconv.Quote(near)
		}
		t.report(IDBadChoice, tomlpos.Child(t.path, key), fix, "%s is %q", key, s)
	}
	return otherwise
}

// table reads a table below this one.
func (t table) table(key string) table {
	sub := table{reader: t.reader, path: tomlpos.Child(t.path, key)}
	v, ok := t.values[key]
	if !ok {
		return sub
	}
	if sub.values, ok = v.(map[string]any); !ok {
		t.wrong(key, "a table", v)
	}
	return sub
}

// tables reads an array of tables below this one.
func (t table) tables(key string) []table {
	v, ok := t.values[key]
	if !ok {
		return nil
	}
	items, ok := v.([]map[string]any)
	if list, isList := v.([]any); isList && len(list) == 0 {
		return nil
	}
	if !ok {
		t.report(IDWrongType, tomlpos.Child(t.path, key), "write [["+key+"]]", "%s is %s", key, typeName(v))
		return nil
	}
	all := make([]table, len(items))
	for i, item := range items {
		all[i] = table{reader: t.reader, path: tomlpos.Element(tomlpos.Child(t.path, key), i), values: item}
	}
	return all
}

func (t table) wrong(key, want string, got any) {
	t.report(IDWrongType, tomlpos.Child(t.path, key), "want "+want, "%s is %s", key, typeName(got))
}

// typeName names the TOML type of a decoded value in a message.
func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the string %q", v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	case []map[string]any, map[string]any:
		return "a table"
	}
	return fmt.Sprintf("a %T", v)
}

// brief prints a duration without the zeros that [time.Duration.String] appends: "1h", not "1h0m0s".
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
