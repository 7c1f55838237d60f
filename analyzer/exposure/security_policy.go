package exposure

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// SecurityPolicy changes rows of the table, by JSON field, as the files of --security-policy= do.
type SecurityPolicy map[string]Change

// Change is what a policy changes of one row; nil leaves it as it is.
type Change struct {
	Weight *int    `json:"weight"` // 0 excludes the row
	Range  *int    `json:"range"`  // the greatest badness, by which the weight is divided
	Good   *string `json:"description_good"`
	Bad    *string `json:"description_bad"`
	NA     *string `json:"description_na"`
}

// ParseSecurityPolicy reads a policy as systemd-analyze does: a JSON object of rows. Errors say which row; a row of a
// name that does not exist, or a key that systemd does not know, is one, although systemd passes over it.
func ParseSecurityPolicy(data []byte) (SecurityPolicy, error) {
	var raw map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("want a JSON object of objects: %w", err)
	}
	p := SecurityPolicy{}
	var errs []error
	for field, keys := range raw {
		if !slices.ContainsFunc(checks, func(c check) bool { return c.field == field }) {
			errs = append(errs, fmt.Errorf("%q is no row, want a json_field such as PrivateTmp", field))
			continue
		}
		c, err := parseChange(keys)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
		p[field] = c
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return p, errors.Join(errs...)
}

func parseChange(keys map[string]json.RawMessage) (Change, error) {
	var c Change
	var errs []error
	fields := map[string]any{
		"weight": &c.Weight, "range": &c.Range,
		"description_good": &c.Good, "description_bad": &c.Bad, "description_na": &c.NA,
	}
	for key, value := range keys {
		target, ok := fields[key]
		if !ok {
			errs = append(errs, fmt.Errorf("%q is no key, want weight, range, description_good, description_bad or description_na", key))
		} else if err := json.Unmarshal(value, target); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if c.Weight != nil && *c.Weight < 0 {
		errs = append(errs, fmt.Errorf("weight is %d, want 0 or more", *c.Weight))
	}
	if c.Range != nil && *c.Range < 1 {
		errs = append(errs, fmt.Errorf("range is %d, want 1 or more", *c.Range))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(errs...)
}

// change applies a policy to a row and returns the row's sentences.
func (c *check) change(row *Row, change Change) texts {
	t := texts{c.good, c.bad, c.na}
	set(&row.weight, change.Weight)
	set(&row.span, change.Range)
	set(&t.good, change.Good)
	set(&t.bad, change.Bad)
	set(&t.na, change.NA)
	return t
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
