package oci

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// PropertyError reports a property whose value is not allowed.
type PropertyError struct {
	Property string // such as process.rlimits[1].type
	Problem  string // the value and what is allowed
}

// Error returns one line of the form property: problem.
func (e *PropertyError) Error() string { return e.Property + ": " + e.Problem }

func wrong(property, format string, args ...any) error {
	return &PropertyError{Property: property, Problem: fmt.Sprintf(format, args...)}
}

// requestsNothing reports whether a value requests nothing: it is absent, null, false or zero, or it is empty at every
// depth. Use it only for objects whose members are all optional and mean nothing when they are empty.
func requestsNothing(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return true
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	return isEmptyValue(v)
}

func isEmptyValue(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, member := range v {
			if !isEmptyValue(member) {
				return false
			}
		}
		return true
	}
	return false
}

// indexed returns the path of a list element.
func indexed(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
