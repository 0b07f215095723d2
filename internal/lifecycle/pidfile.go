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

// replaceFile writes the file that an option names atomically: a reader that sees it sees all of the text. What is
// there already must be a regular file. A file in place of /dev/null would break the host, and one in place of the link
// /dev/stdout too; and to follow a link would be to write where its owner wants.
func replaceFile(option, path, text string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s %s: want a new or a regular file, which is replaced; this is a %s", option, path,
			fileKind(info))
	}
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

// fileKind names the kind of a file that is not a regular one.
func fileKind(info os.FileInfo) string {
	switch m := info.Mode(); {
	case m.IsDir():
		return "directory"
	case m&os.ModeSymlink != 0:
		return "link"
	case m&os.ModeNamedPipe != 0:
		return "pipe"
	case m&os.ModeSocket != 0:
		return "socket"
	}
	return "device"
}
