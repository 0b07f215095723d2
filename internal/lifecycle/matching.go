package lifecycle

import (
	"fmt"

	"github.com/handfast/handfast/internal/match"
)

// Matching returns the ids of the containers that match a regular expression anywhere in the id, in the order of
// List. Damaged containers are included. It is no error if none matches.
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
