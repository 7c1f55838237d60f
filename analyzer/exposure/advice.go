package exposure

// Advice is one assignment that would lower the exposure of a service.
type Advice struct {
	Directive string   `json:"directive"` // such as "PrivateNetwork"
	Value     string   `json:"value"`
	Saves     float64  `json:"saves"` // points of exposure, to the hundredth
	Rows      []string `json:"rows"`  // the JSON fields of the rows that improve
	Then      string   `json:"then"`  // what systemd-analyze would print about the row that is to improve
	Forbids   string   `json:"forbids"`
	Breaks    string   `json:"breaks"` // what usually breaks
}

// Assignment is "Directive=Value".
func (a Advice) Assignment() string { return a.Directive + "=" + a.Value }

// Fix is an assignment that makes a bad row good.
type Fix struct {
	JSONField  string // of the row
	Assignment string // such as "PrivateTmp=yes"
}

// Fixes returns the assignments that make the bad rows of a report good, each once, in the order of the table.
func (r Report) Fixes() []Fix {
	bad := map[string]bool{}
	for _, row := range r.Rows {
		bad[row.JSONField] = row.Set != nil && !*row.Set
	}
	var list []Fix
	seen := map[string]bool{"": true}
	for _, c := range checks {
		if bad[c.field] && !seen[c.fix] {
			seen[c.fix] = true
			list = append(list, Fix{c.field, c.fix})
		}
	}
	return list
}
