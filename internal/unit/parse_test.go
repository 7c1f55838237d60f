package unit_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/unit"
)

// show prints assignments as "line [Section] Name=Value".
func show(as []unit.Assignment) []string {
	var lines []string
	for _, a := range as {
		lines = append(lines, strings.TrimPrefix(a.Pos.String(), "f:")+" ["+a.Section+"] "+a.Name+"="+a.Value)
	}
	return lines
}

func messages(ps []unit.Problem) []string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.Error())
	}
	return lines
}

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	tests := []struct {
		name     string
		text     string
		want     []string
		problems []string
		err      string
	}{
		{name: "nothing"},
		{
			name: "plain", text: "[Unit]\nDescription=a b\n\n[Service]\nExecStart=/bin/true\n",
			want: []string{"2 [Unit] Description=a b", "5 [Service] ExecStart=/bin/true"},
		},
		{
			name: "blanks around", text: "  [Unit]\t\n \tA = b c \t\n",
			want: []string{"2 [Unit] A=b c"},
		},
		{
			name: "empty assignment is kept", text: "[S]\nA=x\nA=\nA = \n",
			want: []string{"2 [S] A=x", "3 [S] A=", "4 [S] A="},
		},
		{
			name: "value with equals signs and quotes", text: "[S]\nEnvironment=\"A=1\" B=2\n",
			want: []string{"2 [S] Environment=\"A=1\" B=2"},
		},
		{
			name: "comments of both sorts, indented too", text: "# a\n[S]\n; b\n   # c=d\nA=b # no comment\n",
			want: []string{"5 [S] A=b # no comment"},
		},
		{
			name: "continuation has the line of its beginning", text: "[S]\nA=1 \\\n  2\\\n3\nB=4\n",
			want: []string{"2 [S] A=1    2 3", "5 [S] B=4"},
		},
		{
			name: "comment inside a continuation", text: "[S]\nA=1 \\\n# not here\n;nor here \\\n2\n",
			want: []string{"2 [S] A=1  2"},
		},
		{
			name: "empty line ends a continuation", text: "[S]\nA=1 \\\n\nB=2\n",
			want: []string{"2 [S] A=1", "4 [S] B=2"},
		},
		{
			name: "continuation before a name", text: "[S]\n\\\n  A=1\n",
			want: []string{"2 [S] A=1"},
		},
		{
			name: "continuation at the end of the file", text: "[S]\nA=1 \\",
			want: []string{"2 [S] A=1"},
		},
		{
			name: "escaped backslash at the end does not continue", text: "[S]\nA=1\\\\\nB=2\n",
			want: []string{`2 [S] A=1\\`, "3 [S] B=2"},
		},
		{
			name: "a blank after the backslash does not continue", text: "[S]\nA=1\\ \nB=2\n",
			want: []string{`2 [S] A=1\`, "3 [S] B=2"},
		},
		{
			name: "header in a continuation", text: "[Ser\\\nvice]\nA=1\n",
			want: []string{"3 [Ser vice] A=1"},
		},
		{
			name: "DOS, old Mac and mixed line ends", text: "[S]\r\nA=1\r\nB=2\rC=3\n\rD=4\n",
			want: []string{"2 [S] A=1", "3 [S] B=2", "4 [S] C=3", "5 [S] D=4"},
		},
		{
			name: "DOS continuation", text: "[S]\r\nA=1 \\\r\n 2\r\n",
			want: []string{"2 [S] A=1   2"},
		},
		{
			name: "NUL ends a line", text: "[S]\x00A=1\x00\nB=2\n\x00C=3\r\n\x00D=4",
			want: []string{"2 [S] A=1", "4 [S] B=2", "5 [S] C=3", "6 [S] D=4"},
		},
		{
			name: "byte order mark", text: "\uFEFF[S]\nA=1\n",
			want: []string{"2 [S] A=1"},
		},
		{
			name: "byte order mark before a comment", text: "[S]\n\uFEFF#A=1\n\uFEFFB=1\n",
			want: []string{"2 [S] #A=1", "3 [S] \uFEFFB=1"},
		},
		{
			name: "outside of a section", text: "A=1\n[S]\nB=2\n",
			want:     []string{"3 [S] B=2"},
			problems: []string{`f:1: "A=1" stands outside of a section, want a line such as [Service] above it`},
		},
		{
			name: "no name, no equals sign, include", text: "[S]\n=1\nfoo\n.include /etc/x\nA=1\n",
			want: []string{"5 [S] A=1"},
			problems: []string{
				`f:2: no name before the "=" in "=1", want Name=value`,
				`f:3: no "=" in "foo", want Name=value`,
				`f:4: .include is no longer read, want a drop-in`,
			},
		},
		{
			name: "invalid UTF-8 ends the file", text: "[S]\nA=\xf0\x9f\x92\xa9\nB=\xff\nC=1\n",
			want: []string{"2 [S] A=💩"}, err: "f:3: invalid UTF-8, want UTF-8: the rest of the file is not read",
		},
		{
			name: "a surrogate too", text: "[S]\nB=\xed\xa0\x80\n",
			err: "f:2: invalid UTF-8, want UTF-8: the rest of the file is not read",
		},
		{
			name: "a code point that is no character too", text: "[S]\nB=\xef\xbf\xbf\n",
			err: "f:2: invalid UTF-8, want UTF-8: the rest of the file is not read",
		},
		{
			name: "but not in a comment", text: "[S]\n# \xff\nA=1\n", want: []string{"3 [S] A=1"},
		},
		{
			name: "odd sections", text: "[]\nA=1\n[ S ]\nB=2\n[X-a]\nC=3\n[S] # x ]\nD=4\n",
			want: []string{"2 [] A=1", "4 [ S ] B=2", "6 [X-a] C=3", "8 [S] # x ] D=4"},
		},
		{
			name: "unclosed header ends the file", text: "[S]\nA=1\n[Unit\nB=2\n",
			want: []string{"2 [S] A=1"},
			err:  `f:3: section header "[Unit" has no "]", want [Name]: the rest of the file is not read`,
		},
		{
			name: "lone bracket", text: "[",
			err: `f:1: section header "[" has no "]", want [Name]: the rest of the file is not read`,
		},
		{
			name: "quotes in a header end the file", text: "[S]\nA=1\n[\"S\"]\n",
			want: []string{"2 [S] A=1"},
			err:  `f:3: section header "[\"S\"]" has quotes or control characters, want [Name]: the rest of the file is not read`,
		},
		{
			name: "longest line", text: "[S]\nA=" + long[:1<<20-3] + "\nB=1\n",
			want: []string{"2 [S] A=" + long[:1<<20-3], "3 [S] B=1"},
		},
		{
			name: "too long a line ends the file", text: "[S]\nA=1\nB=" + long[:1<<20-2] + "\nC=1\n",
			want: []string{"2 [S] A=1"},
			err:  "f:3: the line has 1048576 bytes, want less than 1048576: the rest of the file is not read",
		},
		{
			name: "too long a comment too", text: "[S]\n#" + long,
			err: "f:2: the line has 1048577 bytes, want less than 1048576: the rest of the file is not read",
		},
		{
			name: "too long a joined line", text: "[S]\nA=" + long[:1<<19] + "\\\n" + long[:1<<19] + "\n",
			err: "f:3: the joined line has more than 1048576 bytes: the rest of the file is not read",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problems, err := unit.Parse("f", strings.NewReader(tt.text))
			if d := cmp.Diff(tt.want, show(got)); d != "" {
				t.Errorf("assignments (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.problems, messages(problems)); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("err = %v, want %v", err, tt.err)
			}
			if _, ok := errors.AsType[unit.Problem](err); err != nil && !ok {
				t.Errorf("err is a %T, want a Problem", err)
			}
		})
	}
}

func TestParseReadError(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, _, err = unit.Parse("f", dir)
	if _, ok := errors.AsType[unit.Problem](err); err == nil || ok {
		t.Errorf("reading a directory: %v, want an error that is no Problem", err)
	}
}
