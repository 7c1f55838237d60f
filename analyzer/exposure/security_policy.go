package exposure

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// SecurityPolicy changes rows of the table, by JSON field, as the files of --security-policy= do.
type SecurityPolicy map[string]Change

// Change is what a policy changes of one row; nil leaves it as it is.
type Change struct {
	Weight *int    `json:"weight"` // 0 excludes the row
	Range  *int    `json:"range"`  // the greatest badness, by which the badness is divided
	Good   *string `json:"description_good"`
	Bad    *string `json:"description_bad"`
	NA     *string `json:"description_na"`
}

// ParseSecurityPolicy reads a policy as systemd-analyze does: a JSON object of rows. skipped lists what systemd-analyze
// ignores silently: rows and keys whose names do not exist, and values of another type.
func ParseSecurityPolicy(data []byte) (p SecurityPolicy, skipped []error, err error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, nil, fmt.Errorf("want a JSON object of objects: %w", err)
	}
	p = SecurityPolicy{}
	for _, field := range slices.Sorted(maps.Keys(raw)) {
		if !isRow(field) {
			skipped = append(skipped, noRow(field))
			continue
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(raw[field], &keys); err != nil {
			skipped = append(skipped, fmt.Errorf("%s is no JSON object: systemd skips it", field))
			continue
		}
		c, wrong := parseChange(field, keys)
		if c.Range != nil && *c.Range == 0 {
			return nil, nil, fmt.Errorf("%s: range is 0, want 1 or more", field)
		}
		p[field], skipped = c, append(skipped, wrong...)
	}
	return p, skipped, nil
}

func isRow(field string) bool {
	return slices.ContainsFunc(checks, func(c check) bool { return c.field == field })
}

// noRow is the error for a row that systemd skips. One row is documented under a name that systemd does not accept.
func noRow(field string) error {
	if isRow(field + ")") {
		return fmt.Errorf("%s: systemd skips it, since it looks for %s)", field, field)
	}
	return fmt.Errorf("%q is no row, want a json_field such as PrivateTmp: systemd skips it", field)
}

// parseChange reads what a policy says of one row.
func parseChange(field string, keys map[string]json.RawMessage) (c Change, skipped []error) {
	numbers := map[string]**int{"weight": &c.Weight, "range": &c.Range}
	texts := map[string]**string{"description_good": &c.Good, "description_bad": &c.Bad, "description_na": &c.NA}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value := keys[key]
		switch number, text := numbers[key], texts[key]; {
		case number != nil:
			if n, err := strconv.ParseFloat(string(value), 64); err == nil && n >= 0 && n <= math.MaxInt32 &&
				n == math.Trunc(n) {
				*number = new(int(n))
				continue
			}
			skipped = append(
				skipped,
				fmt.Errorf("%s: %s is %s, want a whole number: systemd skips it", field, key, value),
			)
		case text != nil:
			var sentence *string
			if json.Unmarshal(value, &sentence) != nil || sentence == nil {
				skipped = append(skipped, fmt.Errorf("%s: %s is %s, want a text: systemd skips it", field, key, value))
				continue
			}
			*text = sentence
		default:
			skipped = append(
				skipped,
				fmt.Errorf("%s: %q is no key, want weight, range, description_good, description_bad or "+
					"description_na: systemd skips it", field, key),
			)
		}
	}
	return c, skipped
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
