package filtercache

import (
	"slices"
	"strings"
	"time"
)

// Most is the largest number of entries in a directory; the oldest are removed for new ones.
const Most = 64

// stale is the age at which a temporary file counts as abandoned.
const stale = time.Minute

// file is a file in the directory, as far as prune needs it.
type file struct {
	name    string
	changed time.Time
}

// surplus returns the names of the files to remove: the oldest entries above Most, and abandoned temporary files.
func surplus(all []file, now time.Time) (names []string) {
	var kept []file
	for _, f := range all {
		switch {
		case strings.HasPrefix(f.name, nameSpace):
			kept = append(kept, f)
		case strings.HasPrefix(f.name, newSpace) && now.Sub(f.changed) > stale:
			names = append(names, f.name)
		}
	}
	slices.SortFunc(kept, func(a, b file) int { return b.changed.Compare(a.changed) })
	for _, f := range kept[min(Most, len(kept)):] {
		names = append(names, f.name)
	}
	return names
}
