package check_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"temper/harness/check"
	"temper/profiles"
)

func ExampleRun() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request,
	) {
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()
	checks := []profiles.Check{
		{Name: "greets", Required: true, HTTP: &profiles.HTTPCheck{URL: server.URL, Body: "hello"}},
		{Name: "is polite", HTTP: &profiles.HTTPCheck{URL: server.URL, Body: "/please$/"}},
	}
	for _, o := range check.Run(context.Background(), check.Env{Place: here{}}, checks, profiles.PhaseRunning) {
		fmt.Println(o.Name, o.OK, o.Detail)
	}
	// Output:
	// greets true status 200, 5 bytes
	// is polite false want a body with /please$/, got "hello"
}
