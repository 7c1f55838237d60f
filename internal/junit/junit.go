// Package junit writes test reports as CI systems read them: the XML of JUnit. Call [Write].
package junit

import (
	"encoding/xml"
	"io"
)

// A Suite is a list of tests.
type Suite struct {
	Name    string
	Seconds float64 // how long all tests took; 0 = not measured
	Cases   []Case
}

// A Case is one test: passed, unless one of Failure, Error and Skipped is set.
type Case struct {
	Class   string `xml:"classname,attr"`
	Name    string `xml:"name,attr"`
	Failure *Text  `xml:"failure"`
	Error   *Text  `xml:"error"`   // the test could not run
	Skipped *Text  `xml:"skipped"` // the test does not count
	Out     string `xml:"system-out,omitempty"`
}

// A Text says why a test did not pass, in a line and in detail.
type Text struct {
	Message string `xml:"message,attr"`
	Details string `xml:",chardata"`
}

// suite is a Suite as it is encoded, with its cases counted.
type suite struct {
	Name     string  `xml:"name,attr"`
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Time     float64 `xml:"time,attr,omitempty"`
	Cases    []Case  `xml:"testcase"`
}

// Write writes suites as one document. It returns the error of w.
func Write(w io.Writer, suites []Suite) error {
	var all struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []suite  `xml:"testsuite"`
	}
	for _, s := range suites {
		all.Suites = append(all.Suites, count(s))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func count(s Suite) suite {
	counted := suite{Name: s.Name, Time: s.Seconds, Tests: len(s.Cases), Cases: s.Cases}
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			counted.Failures++
		case c.Error != nil:
			counted.Errors++
		case c.Skipped != nil:
			counted.Skipped++
		}
	}
	return counted
}
