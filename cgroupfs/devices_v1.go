package cgroupfs

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// deviceKey identifies a v1 exception. What is nil in a DeviceRule is all here.
type deviceKey struct {
	kind         byte // 'b' or 'c'
	major, minor int64
}

const allNumbers = -1

// accessLetters returns bits of access as the letters of a rule.
func accessLetters(bits int32) string {
	var b strings.Builder
	for _, l := range [...]struct {
		bit    int32
		letter byte
	}{{accRead, 'r'}, {accWrite, 'w'}, {accMknod, 'm'}} {
		if bits&l.bit != 0 {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}

// exception is one rule for one kind of node, checked.
type exception struct {
	deviceKey
	access int32 // accRead and so on
	allow  bool
}

func (e exception) String() string {
	verb := "deny"
	if e.allow {
		verb = "allow"
	}
	return verb + " " + e.value(e.access)
}

func (k deviceKey) value(a int32) string {
	return string(k.kind) + " " + numberText(k.major) + ":" + numberText(k.minor) + " " + accessLetters(a)
}

func numberText(n int64) string {
	if n == allNumbers {
		return "*"
	}
	return itoa(n)
}

// covers reports whether k matches every node that o matches.
func (k deviceKey) covers(o deviceKey) bool {
	return k.kind == o.kind && (k.major == allNumbers || k.major == o.major) &&
		(k.minor == allNumbers || k.minor == o.minor)
}

// overlaps reports whether some node matches both.
func (k deviceKey) overlaps(o deviceKey) bool {
	same := func(a, b int64) bool { return a == allNumbers || b == allNumbers || a == b }
	return k.kind == o.kind && same(k.major, o.major) && same(k.minor, o.minor)
}

// exceptions checks a rule and splits one for all types of nodes into one for each type: to the kernel the letter a
// means every device and every access, whatever follows it (security/device_cgroup.c, devcgroup_update_access).
func (d *DeviceRule) exceptions() ([]exception, error) {
	a, err := accessBits(d.Access)
	if err != nil {
		return nil, fmt.Errorf("device rule %q: %w", d.text(), err)
	}
	key := deviceKey{major: allNumbers, minor: allNumbers}
	for _, n := range [...]struct {
		in   *int64
		into *int64
	}{{d.Major, &key.major}, {d.Minor, &key.minor}} {
		if n.in == nil {
			continue
		}
		if *n.in < 0 || *n.in > 1<<32-1 {
			return nil, fmt.Errorf("device rule %q: %d is not a device number; want 0 to 4294967295, or none for all: %w",
				d.text(), *n.in, unix.EINVAL)
		}
		*n.into = *n.in
	}
	switch d.Type {
	case "c", "b":
		key.kind = d.Type[0]
		return []exception{{key, a, d.Allow}}, nil
	case "a", "":
		c, b := key, key
		c.kind, b.kind = 'c', 'b'
		return []exception{{c, a, d.Allow}, {b, a, d.Allow}}, nil
	}
	return nil, fmt.Errorf("device rule %q: type %q; want a, c or b: %w", d.text(), d.Type, unix.EINVAL)
}

func (d *DeviceRule) everything() bool {
	return (d.Type == "a" || d.Type == "") && d.Major == nil && d.Minor == nil && d.allAccess()
}

// allAccess reports whether the rule is about every kind of access.
func (d *DeviceRule) allAccess() bool {
	bits, err := accessBits(d.Access)
	return err == nil && bits == accAll
}

func (d *DeviceRule) text() string {
	number := func(n *int64) string {
		if n == nil {
			return "*"
		}
		return itoa(*n)
	}
	return d.Type + " " + number(d.Major) + ":" + number(d.Minor) + " " + d.Access
}
