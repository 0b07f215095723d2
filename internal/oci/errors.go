package oci

import (
	"encoding/json"
	"fmt"
	"strings"
)

// UnsupportedError names the properties that a configuration asks for and that this version does not carry out. The container is refused: to ignore them would run it
// with less protection than was asked for.
type UnsupportedError struct {
	Properties []string // in the specification's words, such as linux.seccomp
}

// Error is one line with every name.
func (e *UnsupportedError) Error() string {
	return "not carried out by this version: " + strings.Join(e.Properties, ", ")
}

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

// absent says whether a property is not there. An object that is there asks for something even without members, where
// one of them is required (scheduler.policy, personality.domain) or where the mere name of a member is the request.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// noMembers says whether a value is an object or a list without members, in which each member would be a request.
func noMembers(raw json.RawMessage) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
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
