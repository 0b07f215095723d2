package lifecycle

import (
	"fmt"
	"regexp"
)

// Matching are the ids of the containers that a regular expression matches anywhere in the id, in their order, damaged
// ones included. That there is none is no error.
func (r *Runtime) Matching(expression string) ([]string, error) {
	match, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("--regex %q: %w", expression, err)
	}
	entries, err := r.store().List()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if match.MatchString(e.ID) {
			ids = append(ids, e.ID)
		}
	}
	return ids, nil
}
