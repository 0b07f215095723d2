package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// writePIDFile creates the file atomically: a reader that sees the file sees the whole number, in decimal and
// without a newline.
func writePIDFile(path string, pid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("--pid-file: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if e := f.Chmod(0o644); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("--pid-file: %w", err)
	}
	return nil
}
