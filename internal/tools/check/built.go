package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
)

// built finds programs and archives of object code in the repository: nobody can review them, and every clone
// downloads them for good.
func built() (verdict, string) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return failed, "git ls-files: " + err.Error()
	}
	var found []string
	for path := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		is, err := isBuilt(path)
		if err != nil {
			return failed, err.Error()
		}
		if is {
			found = append(found, path+": object code; remove it with git rm --cached")
		}
	}
	if len(found) > 0 {
		return failed, strings.Join(found, "\n")
	}
	return passed, ""
}

// isBuilt reports whether a regular file begins as an ELF file or an archive of them does.
func isBuilt(path string) (bool, error) {
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return false, nil // removed, but the removal is not committed
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	var head [8]byte
	n, err := io.ReadFull(file, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return bytes.HasPrefix(head[:n], []byte("\x7fELF")) || bytes.Equal(head[:n], []byte("!<arch>\n")), nil
}
