// Package flags reads what command-line flags of several programs in internal/tools have in common.
package flags

import (
	"fmt"
	"slices"
	"strings"
)

// Choose returns those of all that a list of names with commas between them names, in the list's order; an empty list
// names all. name returns the name of one. A name that none has is an error that says which names there are.
func Choose[T any](flag, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var chosen []T
	for word := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(one T) bool { return name(one) == word })
		if i < 0 {
			known := make([]string, len(all))
			for k, one := range all {
				known[k] = name(one)
			}
			return nil, fmt.Errorf("%s: there is no %q: want some of %s, with commas between them", flag, word,
				strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
