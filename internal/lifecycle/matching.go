package lifecycle

import (
	"fmt"

	"github.com/handfast/handfast/internal/match"
)

// Matching are the ids of the containers that a regular expression matches anywhere in the id, in their order, damaged
// ones included. That there is none is no error.
func (r *Runtime) Matching(expression string) ([]string, error) {
	e, err := match.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("--regex %q: %w", expression, err)
	}
	entries, err := r.store().List()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if e.Matches(entry.ID) {
			ids = append(ids, entry.ID)
		}
	}
	return ids, nil
}
