package temper_test

import (
	"go/types"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestAnalyzerIsALibrary: whoever imports the analyzer can name every type that it shows.
func TestAnalyzerIsALibrary(t *testing.T) {
	config := &packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedExportFile}
	list, err := packages.Load(config, "./analyzer/...")
	if err != nil || len(list) == 0 {
		t.Fatal(err, list)
	}
	for _, p := range list {
		for _, e := range p.Errors {
			t.Error(e)
		}
		seen := map[types.Type]bool{}
		for _, name := range p.Types.Scope().Names() {
			object := p.Types.Scope().Lookup(name)
			if !object.Exported() {
				continue
			}
			for _, hidden := range internalTypes(object.Type(), p.Types, seen) {
				t.Errorf("%s.%s shows %s", p.PkgPath, name, hidden)
			}
		}
	}
}

// internalTypes are the types of internal packages that an importer sees of a type.
func internalTypes(of types.Type, in *types.Package, seen map[types.Type]bool) (hidden []string) {
	if seen[of] {
		return nil
	}
	seen[of] = true
	see := func(t types.Type) { hidden = append(hidden, internalTypes(t, in, seen)...) }
	switch t := of.(type) {
	case *types.Alias:
		see(t.Rhs())
	case *types.Named:
		from := t.Obj().Pkg()
		if from != nil && strings.Contains(from.Path(), "/internal/") {
			return []string{t.String()}
		}
		if from == in {
			for m := range t.Methods() {
				if m.Exported() {
					see(m.Type())
				}
			}
			see(t.Underlying())
		}
		for argument := range t.TypeArgs().Types() {
			see(argument)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				see(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			see(m.Type())
		}
	case *types.Signature:
		see(t.Params())
		see(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			see(v.Type())
		}
	case *types.Map:
		see(t.Key())
		see(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays and channels
		see(t.Elem())
	}
	return hidden
}
