package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv/debian"
	"github.com/handfast/handfast/internal/testenv/module"
)

// builtEnv names the directory with what was built of modules, outside of the room and in it.
const builtEnv = "HANDFAST_TEST_BIN"

// builtPath is where that directory is in the room, which has an empty one in place of the cache.
const builtPath = "/run/built"

// build returns a directory with the programs, which it makes and keeps if they are not there; for none it is empty.
func build(programs []module.Program) (dir string, err error) {
	if len(programs) == 0 {
		return "", nil
	}
	key := sha256.Sum256(fmt.Append(nil, programs))
	dir = filepath.Join(debian.Cache, fmt.Sprintf("built-%x", key[:6]))
	return dir, debian.Once(dir, func(partial string) error {
		scratch, err := os.MkdirTemp("", "handfast-managers-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(scratch)
		for _, p := range programs {
			fmt.Printf("building %s %s (a minute or more, once)\n", p.Name(), p.Version)
			if err := p.Build(filepath.Join(scratch, p.Name()), partial); err != nil {
				return err
			}
		}
		return nil
	})
}

// bringIn has the directory of builtEnv in the room.
func bringIn() error {
	dir := os.Getenv(builtEnv)
	if dir == "" {
		return nil
	}
	if err := os.Mkdir(builtPath, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(dir, builtPath, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s: %w", dir, err)
	}
	return os.Setenv(builtEnv, builtPath)
}
