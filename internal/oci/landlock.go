package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// Landlock is the value of AnnotationLandlock. It has the form that was proposed for the specification
// (opencontainers/runtime-spec, pull request 1111): what is forbidden, and the paths and ports for which it is
// allowed. Ports and scopes came to the kernel later, and have the same form here.
type Landlock struct {
	Ruleset struct {
		HandledAccessFS  []string `json:"handledAccessFS"`
		HandledAccessNet []string `json:"handledAccessNet"`
		Scoped           []string `json:"scoped"`
	} `json:"ruleset"`
	Rules struct {
		PathBeneath []struct {
			AllowedAccess []string `json:"allowedAccess"`
			Paths         []string `json:"paths"`
		} `json:"pathBeneath"`
		NetPort []struct {
			AllowedAccess []string `json:"allowedAccess"`
			Ports         []uint16 `json:"ports"`
		} `json:"netPort"`
	} `json:"rules"`
	// DisableBestEffort turns the warning about rights that this kernel's Landlock does not know yet into an
	// error.
	DisableBestEffort bool `json:"disableBestEffort"`
}

// landlockRight is a name from <linux/landlock.h> in lower case, its bit, and the version of Landlock that added
// it.
type landlockRight struct {
	name string
	bit  uint64
	abi  int
}

type landlockRights []landlockRight

var landlockFS = landlockRights{
	{"execute", unix.LANDLOCK_ACCESS_FS_EXECUTE, 1}, {"write_file", unix.LANDLOCK_ACCESS_FS_WRITE_FILE, 1},
	{"read_file", unix.LANDLOCK_ACCESS_FS_READ_FILE, 1}, {"read_dir", unix.LANDLOCK_ACCESS_FS_READ_DIR, 1},
	{"remove_dir", unix.LANDLOCK_ACCESS_FS_REMOVE_DIR, 1}, {"remove_file", unix.LANDLOCK_ACCESS_FS_REMOVE_FILE, 1},
	{"make_char", unix.LANDLOCK_ACCESS_FS_MAKE_CHAR, 1}, {"make_dir", unix.LANDLOCK_ACCESS_FS_MAKE_DIR, 1},
	{"make_reg", unix.LANDLOCK_ACCESS_FS_MAKE_REG, 1}, {"make_sock", unix.LANDLOCK_ACCESS_FS_MAKE_SOCK, 1},
	{"make_fifo", unix.LANDLOCK_ACCESS_FS_MAKE_FIFO, 1}, {"make_block", unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK, 1},
	{"make_sym", unix.LANDLOCK_ACCESS_FS_MAKE_SYM, 1}, {"refer", unix.LANDLOCK_ACCESS_FS_REFER, 2},
	{"truncate", unix.LANDLOCK_ACCESS_FS_TRUNCATE, 3}, {"ioctl_dev", unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 5},
}

var landlockNet = landlockRights{
	{"bind_tcp", unix.LANDLOCK_ACCESS_NET_BIND_TCP, 4}, {"connect_tcp", unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, 4},
}

var landlockScopes = landlockRights{
	{"abstract_unix_socket", unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, 6}, {"signal", unix.LANDLOCK_SCOPE_SIGNAL, 6},
}

// join combines the named rights into one number. Rights that are newer than the given version of Landlock are
// left out and returned in newer.
func (r landlockRights) join(at string, all []string, abi int) (bits uint64, newer []string, err error) {
next:
	for i, name := range all {
		for _, e := range r {
			if e.name != name {
				continue
			}
			if e.abi > abi {
				newer = append(newer, name)
			} else {
				bits |= e.bit
			}
			continue next
		}
		known := make([]string, 0, len(r))
		for _, e := range r {
			known = append(known, e.name)
		}
		return 0, nil, wrong(fmt.Sprintf("%s[%d]", at, i), "%q is not known; want one of %s", name, strings.Join(known, ", "))
	}
	return bits, newer, nil
}

const landlockAt = "annotations." + AnnotationLandlock

// landlock decides what the annotation means on this host.
func (c *planner) landlock(text string) error {
	if text == "" {
		return nil
	}
	var in Landlock
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields() // a misspelt rule would forbid less
	err := d.Decode(&in)
	if err == nil && d.More() {
		err = errors.New("there is more after it")
	}
	if err != nil {
		return wrong(landlockAt, "want one JSON object with ruleset and rules: %v", err)
	}
	if c.opt.Host.LandlockABI < 1 {
		return wrong(landlockAt, "Landlock is not in force on this host")
	}
	out := &container.Landlock{}
	abi := c.opt.Host.LandlockABI
	var newer []string
	for _, part := range [...]struct {
		name   string
		rights landlockRights
		in     []string
		into   *uint64
	}{
		{"handledAccessFS", landlockFS, in.Ruleset.HandledAccessFS, &out.FS},
		{"handledAccessNet", landlockNet, in.Ruleset.HandledAccessNet, &out.Net},
		{"scoped", landlockScopes, in.Ruleset.Scoped, &out.Scoped},
	} {
		bits, missing, err := part.rights.join(landlockAt+".ruleset."+part.name, part.in, abi)
		if err != nil {
			return err
		}
		*part.into, newer = bits, append(newer, missing...)
	}
	switch {
	case len(newer) > 0 && in.DisableBestEffort:
		return wrong(landlockAt, "this kernel's Landlock, version %d, does not know %s, and disableBestEffort is set",
			abi, strings.Join(newer, ", "))
	case len(newer) > 0:
		c.warn(fmt.Sprintf("%s: this kernel's Landlock, version %d, does not know %s: they are not forbidden",
			landlockAt, abi, strings.Join(newer, ", ")))
	}
	if err := in.allow(out, abi); err != nil {
		return err
	}
	if out.FS|out.Net|out.Scoped == 0 {
		return wrong(landlockAt+".ruleset", "it forbids nothing; want handledAccessFS, handledAccessNet or scoped")
	}
	c.cfg.Process.Landlock = out
	return nil
}

// allow adds the rules. It is an error to allow what is not forbidden, unless the kernel does not know the right.
func (in *Landlock) allow(out *container.Landlock, abi int) error {
	for i, r := range in.Rules.PathBeneath {
		at := fmt.Sprintf("%s.rules.pathBeneath[%d]", landlockAt, i)
		access, err := allowed(at, landlockFS, r.AllowedAccess, out.FS, abi)
		if err != nil {
			return err
		}
		for k, p := range r.Paths {
			if !strings.HasPrefix(p, "/") {
				return wrong(fmt.Sprintf("%s.paths[%d]", at, k), "%q is not absolute", p)
			}
			if access != 0 {
				out.Paths = append(out.Paths, container.LandlockPath{Path: p, Access: access})
			}
		}
	}
	for i, r := range in.Rules.NetPort {
		access, err := allowed(fmt.Sprintf("%s.rules.netPort[%d]", landlockAt, i), landlockNet, r.AllowedAccess, out.Net, abi)
		if err != nil {
			return err
		}
		for _, p := range r.Ports {
			if access != 0 {
				out.Ports = append(out.Ports, container.LandlockPort{Port: p, Access: access})
			}
		}
	}
	return nil
}

func allowed(at string, rights landlockRights, names []string, handled uint64, abi int) (uint64, error) {
	access, _, err := rights.join(at+".allowedAccess", names, abi) // the kernel does not restrict newer rights
	switch {
	case err != nil:
		return 0, err
	case len(names) == 0:
		return 0, wrong(at+".allowedAccess", "missing or empty; want some of what the ruleset handles")
	case access&^handled != 0:
		for _, r := range rights {
			if r.bit&access&^handled != 0 {
				return 0, wrong(at+".allowedAccess", "%q is not among what the ruleset handles, and so is allowed anyway", r.name)
			}
		}
	}
	return access, nil
}
