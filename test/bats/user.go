package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The user whom -user gives the tests, and the ids that are subordinate to that one: those of runc's own script.
const (
	userID   = 2000
	firstUID = 100000
	firstGID = 200000
	idCount  = 65536
)

// userFiles are the lines for the user, by file.
var userFiles = map[string]string{
	"/etc/passwd": fmt.Sprintf("rootless:x:%d:%d::/run/rootless:/bin/bash\n", userID, userID),
	"/etc/group":  fmt.Sprintf("rootless:x:%d:\n", userID),
	"/etc/subuid": fmt.Sprintf("rootless:%d:%d\n", firstUID, idCount),
	"/etc/subgid": fmt.Sprintf("rootless:%d:%d\n", firstGID, idCount),
}

// becomeUser makes the user in this room, and returns what a process of that user needs. The files are bound over the
// host's, which do not change.
func becomeUser(temporary string, terminal *os.File) (*syscall.Credential, []string, error) {
	for path, line := range userFiles {
		before, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		copied := filepath.Join("/run", filepath.Base(path))
		if err := os.WriteFile(copied, append(before, line...), 0o644); err != nil {
			return nil, nil, err
		}
		if err := unix.Mount(copied, path, "", unix.MS_BIND, ""); err != nil {
			return nil, nil, fmt.Errorf("binding %s: %w", path, err)
		}
	}
	const home, aux = "/run/rootless", "/run/rootless-aux"
	for dir, owner := range map[string]int{home: userID, aux: firstUID - auxInside + auxUID, temporary: userID} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, nil, err
		}
		if err := os.Chown(dir, owner, -1); err != nil {
			return nil, nil, err
		}
	}
	env := []string{"HOME=" + home, "USER=rootless", "ROOTLESS_FEATURES=idmap", "ROOTLESS_AUX_DIR=" + aux,
		"ROOTLESS_AUX_UID=" + strconv.Itoa(auxUID), "XDG_RUNTIME_DIR=" + home,
		"ROOTLESS_UIDMAP_START=" + strconv.Itoa(firstUID), "ROOTLESS_UIDMAP_LENGTH=" + strconv.Itoa(idCount),
		"ROOTLESS_GIDMAP_START=" + strconv.Itoa(firstGID), "ROOTLESS_GIDMAP_LENGTH=" + strconv.Itoa(idCount)}
	return &syscall.Credential{Uid: userID, Gid: userID}, env, terminal.Chown(userID, -1)
}

// One of the tests needs a directory that belongs to the user auxUID of a container in which the subordinate ids begin
// at auxInside.
const (
	auxUID    = 1024
	auxInside = 1000
)
