package oci

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseUser parses "uid" or "uid:gid" in decimal digits. It refuses names, and everything that another parser
// could read as a different number: a sign, a leading zero, a space, and 4294967295, which system calls interpret
// as "no change" (CVE-2026-30892, CVE-2016-3697).
func ParseUser(text string) (*UserIDs, error) {
	user, group, both := strings.Cut(text, ":")
	uid, err := ParseID(user)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w (want uid or uid:gid)", text, err)
	}
	out := &UserIDs{UID: uid}
	if both {
		gid, err := ParseID(group)
		if err != nil {
			return nil, fmt.Errorf("user %q: group: %w (want uid or uid:gid)", text, err)
		}
		out.GID = &gid
	}
	return out, nil
}

// ParseID parses a user or group id from 0 to 4294967294.
func ParseID(text string) (uint32, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" || len(text) > 1 && text[0] == '0' {
		return 0, fmt.Errorf("%q is not a number in decimal digits", text)
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%s is above the highest id, 4294967294", text)
	}
	return uint32(n), nil
}
