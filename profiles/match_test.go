package profiles_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

const dir = "etc/temper/profiles.d"

// setOf loads profiles given as file name and content.
func setOf(t testing.TB, files map[string]string) *profiles.Set {
	t.Helper()
	set, errs := load(t, files)
	for _, err := range errs {
		t.Error(err)
	}
	return set
}

func load(t testing.TB, files map[string]string) (*profiles.Set, []error) {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(root, dir, name), content)
	}
	return profiles.Load(host.At(root), nil)
}

func TestFor(t *testing.T) {
	set := setOf(t, map[string]string{
		"nginx.toml":      `units = ["nginx.service"]`,
		"web.toml":        `units = ["nginx.service", "web.service"]`,
		"everything.toml": `units = ["*.service"]`,
		"ng.toml":         `units = ["ng*.service"]`,
		"ng-also.toml":    `units = ["??*.service", "ng*.service"]`,
		"template.toml":   `units = ["php@.service"]`,
		"instance.toml":   `units = ["php@8.service"]`,
		"negated.toml":    `units = ["n[!a-y].service", "e\\x2d*.service"]`,
		"classes.toml":    `units = ["db-[0-9].service"]`,
		"escaped.toml":    `units = ["a\\x2db.service"]`,
		"base/base.toml":  ``,
	})
	for _, row := range []struct {
		about string
		unit  unit.Unit
		want  string
		named bool
	}{
		{"by name, the first profile of two", unit.Unit{Name: "nginx.service", ID: "nginx.service"}, "nginx", true},
		{"by name", unit.Unit{Name: "web.service", ID: "web.service"}, "web", true},
		{"by alias", unit.Unit{Name: "x.service", ID: "x.service", Aliases: []string{"web.service"}}, "web", true},
		{"asked for by alias", unit.Unit{Name: "web.service", ID: "x.service"}, "web", true},
		{"a longer glob beats a shorter one", unit.Unit{Name: "ngx.service", ID: "ngx.service"}, "ng", false},
		{
			"glob on an alias",
			unit.Unit{Name: "x.service", ID: "x.service", Aliases: []string{"db-1.service"}},
			"classes", false,
		},
		{"outside the class", unit.Unit{Name: "db-x.service", ID: "db-x.service"}, "ng-also", false},
		{"shortest glob", unit.Unit{Name: "x.service", ID: "x.service"}, "everything", false},
		{"instance", unit.Unit{Name: "php@8.service", ID: "php@8.service"}, "instance", true},
		{"other instance", unit.Unit{Name: "php@7.service", ID: "php@7.service"}, "template", true},
		{"the template itself", unit.Unit{Name: "php@.service", ID: "php@.service"}, "template", true},
		{"escaped name", unit.Unit{Name: `a\x2db.service`, ID: `a\x2db.service`}, "escaped", true},
		{"not in the negated class", unit.Unit{Name: "nz.service", ID: "nz.service"}, "negated", false},
		{"in the negated class", unit.Unit{Name: "nb.service", ID: "nb.service"}, "ng-also", false},
		{"escape in a glob", unit.Unit{Name: `e\x2df.service`, ID: `e\x2df.service`}, "negated", false},
		{"another type", unit.Unit{Name: "nginx.socket", ID: "nginx.socket"}, "", false},
	} {
		t.Run(row.about, func(t *testing.T) {
			p, named := set.For(&row.unit)
			got := ""
			if p != nil {
				got = p.Name
			}
			if got != row.want || named != row.named {
				t.Errorf("For(%s) = %q, %t, want %q, %t", row.unit.Name, got, named, row.want, row.named)
			}
		})
	}
}

func TestForNil(t *testing.T) {
	var set *profiles.Set
	if p, named := set.For(&unit.Unit{Name: "a.service", ID: "a.service"}); p != nil || named {
		t.Errorf("the nil set has %v", p)
	}
	if s := set.SecretsFor("a.service"); s != nil {
		t.Errorf("the nil set has secrets %v", s)
	}
	if _, ok := set.Get("a"); ok || len(set.All()) > 0 {
		t.Error("the nil set has a profile")
	}
}

// TestForLaws: a profile that names the unit always beats every glob, and adding a glob that is shorter than all that
// match changes nothing.
func TestForLaws(t *testing.T) {
	name := rapid.StringMatching(`[a-c]{1,4}`)
	rapid.Check(t, func(rt *rapid.T) {
		files := map[string]string{}
		for i, g := range rapid.SliceOfN(rapid.StringMatching(`[a-c?*]{1,4}`), 0, 6).Draw(rt, "patterns") {
			files[fmt.Sprintf("p%d.toml", i)] = fmt.Sprintf("units = [%q]", g+".service")
		}
		u := unit.Unit{Name: name.Draw(rt, "unit") + ".service"}
		u.ID = u.Name
		before, named := setOf(t, files).For(&u)
		for file, content := range files {
			if content == fmt.Sprintf("units = [%q]", u.Name) && !named {
				rt.Fatalf("%s names %s and a glob won: %v", file, u.Name, before)
			}
		}
		files["zz.toml"] = `units = ["*.service"]`
		after, namedAfter := setOf(t, files).For(&u)
		if after == nil || named != namedAfter || before != nil && after.Name != before.Name {
			rt.Fatalf("with *.service: %v, %t; without: %v, %t", after, namedAfter, before, named)
		}
	})
}

func TestSecretsFor(t *testing.T) {
	set := setOf(t, map[string]string{
		"nginx.toml": "units = ['nginx.service']\nsecrets = ['/etc/letsencrypt', '/etc/nginx/keys']\n" +
			"secrets_for = ['certbot.service', 'acme-*.service']",
		"apache.toml":   "units = ['apache2.service']\nextends = ['base/web']\nsecrets = ['/etc/apache2/keys']",
		"base/web.toml": "secrets = ['/etc/letsencrypt']",
		"live.toml":     "units = ['live@.service']\nsecrets = ['/etc/letsencrypt/live']",
		"all.toml":      "units = ['*.service']",
	})
	for _, row := range []struct {
		names []string
		want  []profiles.Secret
	}{
		{[]string{"cron.service"}, []profiles.Secret{
			{"/etc/apache2/keys", "apache"},
			{"/etc/letsencrypt", "apache"},
			{"/etc/letsencrypt/live", "live"},
			{"/etc/nginx/keys", "nginx"},
		}},
		{[]string{"nginx.service"}, []profiles.Secret{
			{"/etc/apache2/keys", "apache"},
			{"/etc/letsencrypt/live", "live"},
		}},
		{
			[]string{"www.service", "apache2.service"},
			[]profiles.Secret{{"/etc/letsencrypt/live", "live"}, {"/etc/nginx/keys", "nginx"}},
		},
		{[]string{"acme-x.service"}, []profiles.Secret{
			{"/etc/apache2/keys", "apache"},
			{"/etc/letsencrypt/live", "live"},
		}},
		{
			[]string{"live@a.service", "live@.service"},
			[]profiles.Secret{{"/etc/apache2/keys", "apache"}, {"/etc/nginx/keys", "nginx"}},
		},
	} {
		if diff := cmp.Diff(row.want, set.SecretsFor(row.names...)); diff != "" {
			t.Errorf("SecretsFor(%q): -want +got\n%s", row.names, diff)
		}
	}
}
