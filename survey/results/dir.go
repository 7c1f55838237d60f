package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"temper/internal/verdict"
)

// A Dir is a directory of results: PACKAGE/package.json, and PACKAGE/UNIT.json for each unit. They have lines of logs,
// so only their owner can read them.
type Dir string

const packageFile = "package.json"

// Package reads what is kept of a package. If there is nothing the error wraps [fs.ErrNotExist].
func (d Dir) Package(name string) (p Package, err error) {
	return p, d.read(filepath.Join(name, packageFile), &p)
}

// Unit reads what is kept of a unit of a package.
func (d Dir) Unit(pkg, unit string) (u Unit, err error) {
	return u, d.read(filepath.Join(pkg, unit+".json"), &u)
}

func (d Dir) read(name string, into any) error {
	file := filepath.Join(string(d), name)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if head.Schema != Schema {
		return fmt.Errorf("%s: has schema %d, want %d", file, head.Schema, Schema)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// PutPackage keeps what happened to a package, once its units are kept: a package whose file is there is done.
func (d Dir) PutPackage(p Package) error {
	p.Schema = Schema
	return d.put(filepath.Join(p.Package, packageFile), p)
}

// PutUnit keeps what was found out about a unit.
func (d Dir) PutUnit(u Unit) error {
	u.Schema = Schema
	return d.put(filepath.Join(u.Package, u.Unit+".json"), u)
}

// PutWorse keeps a result that is worse than the one that is kept, beside it.
func (d Dir) PutWorse(u Unit) error {
	u.Schema = Schema
	return d.put(filepath.Join(u.Package, u.Unit+worseSuffix), u)
}

const worseSuffix = ".json.worse"

func (d Dir) put(name string, what any) error {
	file := filepath.Join(string(d), name)
	data, err := json.MarshalIndent(what, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(file, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return nil
}

// All reads everything, sorted by package and unit. What cannot be read is in the error, and all the rest is returned.
func (d Dir) All() (packages []Package, units []Unit, err error) {
	files, err := filepath.Glob(filepath.Join(string(d), "*", "*.json"))
	if err == nil {
		_, err = os.Stat(string(d))
	}
	problems := []error{err}
	for _, file := range files {
		name, _ := filepath.Rel(string(d), file)
		if filepath.Base(file) == packageFile {
			var p Package
			if err := d.read(name, &p); err != nil {
				problems = append(problems, err)
				continue
			}
			packages = append(packages, p)
			continue
		}
		var u Unit
		if err := d.read(name, &u); err != nil {
			problems = append(problems, err)
			continue
		}
		units = append(units, u)
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Package, b.Package) })
	slices.SortFunc(units, func(a, b Unit) int {
		return strings.Compare(a.Package+"\x00"+a.Unit, b.Package+"\x00"+b.Unit)
	})
	return packages, units, errors.Join(problems...)
}

// worseVerdict says why a verdict on a unit that works hardened is worse than an older one.
func worseVerdict(v, old verdict.Verdict, worked bool) string {
	switch {
	case !worked:
		return ""
	case v.Exposure.After > old.Exposure.After:
		return fmt.Sprintf("exposure %.1f, was %.1f", v.Exposure.After, old.Exposure.After)
	case len(v.Demotions) > len(old.Demotions):
		return fmt.Sprintf("demotions are %d, were %d", len(v.Demotions), len(old.Demotions))
	}
	return ""
}

// Missing reports whether an error says that nothing is kept.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
