package oci

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// PropertyError is a property whose value is not allowed.
type PropertyError struct {
	Property string // such as process.rlimits[1].type
	Problem  string // the value and what is allowed
}

// Error is one line: property: problem.
func (e *PropertyError) Error() string { return e.Property + ": " + e.Problem }

func wrong(property, format string, args ...any) error {
	return &PropertyError{Property: property, Problem: fmt.Sprintf(format, args...)}
}

// nothing says whether a value asks for nothing: absent, null, false, a zero, or empty at every depth. It is only for
// objects all of whose members may be left out and mean nothing when they are empty.
func nothing(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return true
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	return nothingIn(v)
}

func nothingIn(v any) bool {
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
			if !nothingIn(member) {
				return false
			}
		}
		return true
	}
	return false
}

// indexed is the path of a list's element.
func indexed(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
