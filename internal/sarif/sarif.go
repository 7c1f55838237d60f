// Package sarif writes the Static Analysis Results Interchange Format, version 2.1.0.
//
// Call [Write].
package sarif

import (
	"encoding/json"
	"io"
	"path"
	"strings"
)

// The levels of results.
const (
	Error   = "error"
	Warning = "warning"
)

// A Rule is a kind of results.
type Rule struct{ ID, Short string }

// A Result is something that was found.
type Result struct {
	Rule, Level, Text string
	Path              string // "" if no file is known
	Line              int    // from 1; 0 if it is about the whole file
	Waived            string // why it is suppressed, "" if it is not
}

type text struct {
	Text string `json:"text"`
}

type rule struct {
	ID    string `json:"id"`
	Short text   `json:"shortDescription"`
}

type location struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region region `json:"region"`
	} `json:"physicalLocation"`
}

type region struct {
	StartLine int `json:"startLine"`
}

type suppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

type result struct {
	Rule         string        `json:"ruleId"`
	Level        string        `json:"level"`
	Message      text          `json:"message"`
	Locations    []location    `json:"locations,omitempty"`
	Suppressions []suppression `json:"suppressions,omitempty"`
}

type driver struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Rules   []rule `json:"rules"`
}

type run struct {
	Tool struct {
		Driver driver `json:"driver"`
	} `json:"tool"`
	Results []result `json:"results"`
}

type log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []run  `json:"runs"`
}

// Write writes one run of temper of a version.
func Write(w io.Writer, version string, rules []Rule, results []Result) error {
	r := run{Results: []result{}}
	r.Tool.Driver = driver{Name: "temper", Version: version, Rules: []rule{}}
	for _, known := range rules {
		r.Tool.Driver.Rules = append(r.Tool.Driver.Rules, rule{known.ID, text{known.Short}})
	}
	for _, found := range results {
		one := result{
			Rule: found.Rule, Level: found.Level, Message: text{found.Text}, Locations: found.locations(),
		}
		if found.Waived != "" {
			one.Suppressions = []suppression{{"external", found.Waived}}
		}
		r.Results = append(r.Results, one)
	}
	j := json.NewEncoder(w)
	j.SetIndent("", "  ")
	j.SetEscapeHTML(false)
	return j.Encode(log{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []run{r}})
}

// locations is a line of a file: line 1 if the result is about the whole file.
func (r Result) locations() []location {
	if r.Path == "" {
		return nil
	}
	var l location
	l.Physical.Artifact.URI = strings.TrimPrefix(path.Clean(r.Path), "/")
	l.Physical.Region.StartLine = max(r.Line, 1)
	return []location{l}
}
