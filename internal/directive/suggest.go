package directive

import "temper/internal/hint"

// Suggest returns the directive whose name is nearest to a misspelt one, or "" if none is near.
func Suggest(name string) string {
	names := make([]string, len(table))
	for i, d := range table {
		names[i] = d.Name
	}
	return hint.Nearest(name, names)
}
