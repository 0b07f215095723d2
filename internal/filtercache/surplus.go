package filtercache

import (
	"slices"
	"strings"
	"time"
)

// Most is how many entries a directory holds at most; the oldest make room.
const Most = 64

// stale is the age from which on an entry in the making is one that nobody finishes.
const stale = time.Minute

// file is what prune knows of a file.
type file struct {
	name    string
	changed time.Time
}

// surplus are the names of the files to remove: the oldest entries above Most, and what was left in the making.
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
