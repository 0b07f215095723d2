package testenv

import (
	"os"
	"testing"

	"github.com/handfast/handfast/internal/testenv/pty"
)

// PTY creates a pseudo-terminal. It returns the user's end, and the end that is a program's terminal; both are closed
// when the test ends.
func PTY(t testing.TB) (user, terminal *os.File) {
	t.Helper()
	user, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	t.Cleanup(func() { terminal.Close() })
	return user, terminal
}
