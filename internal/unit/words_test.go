package unit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/unit"
)

func TestWords(t *testing.T) {
	tests := []struct {
		name, value string
		want        []string
		err         string
	}{
		{name: "nothing"},
		{name: "blanks only", value: " \t\n\r"},
		{name: "plain", value: " a  b\tc ", want: []string{"a", "b", "c"}},
		{name: "other white space does not split", value: "a\vb\u00a0c", want: []string{"a\vb\u00a0c"}},
		{name: "double quotes", value: `"a b" c`, want: []string{"a b", "c"}},
		{name: "single quotes", value: `'a "b"' c`, want: []string{`a "b"`, "c"}},
		{name: "quotes inside a word", value: `a"b c"d'e f'`, want: []string{"ab cde f"}},
		{name: "words meet at a quote", value: `"a""b" "c"d`, want: []string{"ab", "cd"}},
		{name: "empty words", value: `"" '' a`, want: []string{"", "", "a"}},
		{name: "backslash makes literal", value: `a\ b \"c \\d \n`, want: []string{"a b", `"c`, `\d`, "n"}},
		{name: "backslash in quotes", value: `"a\"b" 'c\'d' "e\f"`, want: []string{`a"b`, "c'd", "ef"}},
		{name: "escaped blanks at the ends", value: `\  a\ `, want: []string{" ", "a "}},
		{name: "commas are no blanks", value: "a,b;c", want: []string{"a,b;c"}},
		{name: "open double quote", value: `a "b c`, want: []string{"a"}, err: "a quote is not closed"},
		{name: "open single quote", value: `'`, err: "a quote is not closed"},
		{name: "backslash at the end", value: `a b\`, want: []string{"a"}, err: "a backslash stands at the end"},
		{
			name: "backslash at the end of a quote", value: `a "b\`, want: []string{"a"},
			err: "a backslash stands at the end",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := unit.Words(tt.value)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("err = %v, want %q", err, tt.err)
			}
		})
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		name, value string
		flags       unit.WordFlags
		want        []string
		err         string
	}{
		{"quotes mean nothing", `a "b c" d'`, 0, []string{"a", `"b`, `c"`, "d'"}, ""},
		{"a backslash counts all the same", `a\ b c`, 0, []string{"a b", "c"}, ""},
		{"a backslash at the end", `a b\`, 0, []string{"a"}, "a backslash stands at the end"},
		{"relaxed open quote", `a "b c`, unit.Unquote | unit.Relax, []string{"a", "b c"}, ""},
		{"relaxed backslash", `a b\`, unit.Unquote | unit.Relax, []string{"a", "b"}, ""},
		{"relaxed backslash, quotes mean nothing", `a "b\`, unit.Relax, []string{"a", `"b`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := unit.SplitWords(tt.value, tt.flags)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("err = %v, want %q", err, tt.err)
			}
		})
	}
}

func TestFirstWord(t *testing.T) {
	word, rest, err := unit.FirstWord(`"/dev/a b"  rw m`, unit.Unquote)
	if word != "/dev/a b" || rest != "rw m" || err != nil {
		t.Errorf("got %q, %q, %v", word, rest, err)
	}
}

func TestBool(t *testing.T) {
	for _, s := range []string{"1", "yes", "y", "true", "t", "on", "YES", "True", "oN"} {
		if on, ok := unit.Bool(s); !on || !ok {
			t.Errorf("Bool(%q) = %v, %v", s, on, ok)
		}
	}
	for _, s := range []string{"0", "no", "n", "false", "f", "off", "NO", "False", "oFf"} {
		if on, ok := unit.Bool(s); on || !ok {
			t.Errorf("Bool(%q) = %v, %v", s, on, ok)
		}
	}
	for _, s := range []string{"", " yes", "yes ", "2", "-1", "yess", "strict"} {
		if _, ok := unit.Bool(s); ok {
			t.Errorf("Bool(%q) is taken for a boolean", s)
		}
	}
}
