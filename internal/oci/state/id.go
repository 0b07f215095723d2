package state

import "fmt"

// idLimit is the longest accepted id. An id longer than NAME_MAX (255 bytes) does not fit into a directory entry,
// and fails there with ENAMETOOLONG.
const idLimit = 1024

// ValidateID accepts ids that are safe as the name of a directory and of a cgroup: letters, digits and the
// characters _ + . - but not "." and "..".
func ValidateID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("container id is empty")
	case id == "." || id == "..":
		return fmt.Errorf("invalid container ID format: %q is not allowed", id)
	case len(id) > idLimit:
		return fmt.Errorf("container id has %d characters; want at most %d", len(id), idLimit)
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '+', c == '.', c == '-':
		default:
			return fmt.Errorf("invalid container ID format: %q; want letters, digits and the characters _ + . -", id)
		}
	}
	return nil
}
