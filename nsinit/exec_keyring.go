package nsinit

import "github.com/handfast/handfast/internal/sys"

// keyring gives the process a session keyring of the container, session-keyring(7); without one it could use every
// key in the caller's keyring. The container's first process makes the keyring, in its user namespace, and joining
// processes find it by its name.
func (c *child) keyring() error {
	if name := c.cfg.Process.Keyring; name != "" {
		return sys.JoinKeyring(name)
	}
	return nil
}
