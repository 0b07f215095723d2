package spawn

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// hostSource returns where on the host the source of mount n is. If an earlier bind of the container covers a source
// below the root file system, the child finds there what is at the source of that bind, and so the parent looks for it
// there. It does not look in the child's mount namespace, where the child could show it anything.
//
// What the container's own mounts show below the source is missing there, which is an error.
//
// Only names are compared, and no link of the image is followed for that.
func hostSource(c *Container, n int) (string, error) {
	source := filepath.Clean(c.Mounts[n].Source)
	inside, below := strings.CutPrefix(source, strings.TrimSuffix(filepath.Clean(c.Root.Path), "/"))
	if inside == "" {
		inside = "/" // the root itself
	}
	if !below || inside[0] != '/' {
		return source, nil
	}
	for i := n - 1; i >= 0; i-- {
		m := &c.Mounts[i]
		destination := filepath.Clean("/" + m.Destination)
		if c.Mounts[n].Recursive && destination != inside &&
			strings.HasPrefix(destination, strings.TrimSuffix(inside, "/")+"/") {
			return "", fmt.Errorf("the source %s has the container's own mount of %s below it, which a recursive bind with "+
				"mappings cannot show (without rbind it can have mappings): %w", source, m.Destination, unix.EINVAL)
		}
		rest, covered := strings.CutPrefix(inside, strings.TrimSuffix(destination, "/"))
		switch {
		case !covered || rest != "" && rest[0] != '/':
		case m.Bind:
			at, err := hostSource(c, i)
			return filepath.Join(at, rest), err
		default:
			return "", fmt.Errorf("the source %s is in the file system of type %s that the container's own mount of %s makes, "+
				"and cannot have mappings of its own: %w", source, m.Type, m.Destination, unix.EINVAL)
		}
	}
	return source, nil
}
