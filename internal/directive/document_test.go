package directive_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/directive"
)

func TestDocumentIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/directives.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(directive.Document(), string(page)); diff != "" {
		t.Errorf("run go generate ./internal/directive (-want +got):\n%s", diff)
	}
}
