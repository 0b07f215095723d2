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
// Only names are compared, and no link of the image is followed for that.
func hostSource(c *Container, n int) (string, error) {
	source := filepath.Clean(c.Mounts[n].Source)
	inside, below := strings.CutPrefix(source, strings.TrimSuffix(filepath.Clean(c.Root.Path), "/"))
	if !below || !strings.HasPrefix(inside, "/") {
		return source, nil
	}
	for i := n - 1; i >= 0; i-- {
		m := &c.Mounts[i]
		rest, covered := strings.CutPrefix(inside, strings.TrimSuffix(filepath.Clean("/"+m.Destination), "/"))
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
