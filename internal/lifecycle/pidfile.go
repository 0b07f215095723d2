package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// writePIDFile writes the number in decimal and without a newline.
func writePIDFile(path string, pid int) error {
	return replaceFile("--pid-file", path, strconv.Itoa(pid))
}

// replaceFile writes the file that an option names atomically: a reader that sees it sees all of the text.
func replaceFile(option, path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("%s: %w", option, err)
	}
	_, err = f.WriteString(text)
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
		return fmt.Errorf("%s: %w", option, err)
	}
	return nil
}
