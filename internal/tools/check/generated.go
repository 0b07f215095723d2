package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// generated runs "go generate" and fails if that changes a file of the tree. It compares the tree with its own
// previous contents, not with the last commit, so that work in progress is not a failure. The new contents stay,
// ready to be committed.
func generated() (verdict, string) {
	before, err := contents(".")
	if err != nil {
		return failed, err.Error()
	}
	if out, err := run("go", "generate", "./..."); err != nil {
		return failed, fmt.Sprintf("go generate ./...: %v\n%s", err, out)
	}
	after, err := contents(".")
	if err != nil {
		return failed, err.Error()
	}
	var stale []string
	for _, path := range slices.Sorted(maps.Keys(after)) {
		if before[path] != after[path] {
			stale = append(stale, path)
		}
	}
	if len(stale) > 0 {
		return failed, "these were out of date and are now regenerated, commit them:\n" + strings.Join(stale, "\n")
	}
	return passed, ""
}

// contents returns a digest of every file below root, without version control and build output.
func contents(root string) (map[string][32]byte, error) {
	sums := map[string][32]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == ".git" || path == "bin" || path == "dist"):
			return filepath.SkipDir
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sums[path] = sha256.Sum256(data)
		}
		return nil
	})
	return sums, err
}
