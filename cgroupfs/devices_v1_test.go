package cgroupfs_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
)

func canRead(t *testing.T, g *cgroupfs.Group, dev string) bool {
	r := exec.Command("/bin/sh", "-c", "read x; exec 3<"+dev)
	in, _ := r.StdinPipe()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(r.Process.Pid); err != nil {
		t.Fatal(err)
	}
	in.Write([]byte("x\n"))
	return r.Wait() == nil
}

func TestDeviceRulesV1(t *testing.T) {
	g := create(t, "devices")
	apply(t, g, cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a", Access: "rwm"}, {Allow: true, Type: "a", Major: p[int64](10), Minor: p[int64](200), Access: "rwm"},
		{Allow: true, Type: "c", Major: p[int64](1), Access: "rw"},
		{Allow: true, Type: "c", Major: p[int64](5), Minor: p[int64](0), Access: "rw"},
		{Type: "c", Major: p[int64](5), Access: "rwm"},
	}})
	for dev, want := range map[string]bool{"/dev/zero": true, "/dev/ptmx": false} {
		if got := canRead(t, g, dev); got != want {
			t.Errorf("%s opens: %t, want %t", dev, got, want)
		}
	}
}

func TestDeviceRulesThatV1WouldIgnore(t *testing.T) {
	var u *cgroupfs.UnsupportedError
	_, err := cgroupfs.Plan(layoutOf(t, "v1"), &cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{
		{Type: "a", Access: "rwm"}, {Allow: true, Type: "c", Access: "rwm"},
		{Type: "c", Major: p[int64](1), Minor: p[int64](5), Access: "rwm"}}})
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "c 1:5") {
		t.Errorf("%v", err)
	}
	for _, d := range []cgroupfs.DeviceRule{{Type: "x"}, {Type: "c", Access: "rx"}, {Type: "c", Major: p[int64](-1)},
		{Type: "b", Minor: p[int64](1 << 32)}} {
		if _, err := cgroupfs.Plan(layoutOf(t, "v1"), &cgroupfs.Resources{Devices: []cgroupfs.DeviceRule{d}}); err == nil {
			t.Errorf("%+v was planned", d)
		}
	}
}

// request is what a process asks for; bits are those of linux/bpf.h: mknod 1, read 2, write 4; kinds are block 1, char
// 2.
type request struct{ kind, access, major, minor uint32 }

// want answers by the words of the documentation: each bit by the last rule that matches it.
func want(rules []cgroupfs.DeviceRule, q request) bool {
	for _, one := range []struct {
		bit    uint32
		letter string
	}{{1, "m"}, {2, "r"}, {4, "w"}} {
		allowed := true
		for _, d := range rules {
			kind := map[string]uint32{"a": 0, "": 0, "b": 1, "c": 2}[d.Type]
			if (kind == 0 || kind == q.kind) && (d.Major == nil || *d.Major == int64(q.major)) &&
				(d.Minor == nil || *d.Minor == int64(q.minor)) &&
				(d.Access == "" || strings.Contains(d.Access, one.letter)) {
				allowed = d.Allow
			}
		}
		if q.access&one.bit != 0 && !allowed {
			return false
		}
	}
	return true
}

func drawRules(t *rapid.T, first int) []cgroupfs.DeviceRule {
	number := rapid.SampledFrom([]*int64{nil, p[int64](0), p[int64](1), p[int64](5), p[int64](1<<32 - 1)})
	rule := rapid.Custom(func(t *rapid.T) cgroupfs.DeviceRule {
		return cgroupfs.DeviceRule{
			Allow: rapid.Bool().Draw(t, "allow"), Type: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "type"),
			Major: number.Draw(t, "major"), Minor: number.Draw(t, "minor"),
			Access: rapid.SampledFrom([]string{"r", "w", "m", "rw", "rm", "wm", "rwm"}).Draw(t, "access"),
		}
	})
	return rapid.SliceOfN(rule, first, 8).Draw(t, "rules")
}

// requests is every request that the rules could tell apart. Making a node is asked for by itself
// (security/device_cgroup.c, devcgroup_inode_mknod).
func requests() []request {
	var all []request
	for _, kind := range []uint32{1, 2} {
		for _, access := range []uint32{1, 2, 4, 6} {
			for _, major := range []uint32{0, 1, 5, 7, 1<<32 - 1} {
				for _, minor := range []uint32{0, 1, 5, 7, 1<<32 - 1} {
					all = append(all, request{kind, access, major, minor})
				}
			}
		}
	}
	return all
}

// kernelV1 is what security/device_cgroup.c does with the writes: a default and exceptions from it, found by the same
// type and numbers.
type kernelV1 struct {
	deny bool
	list map[string]string
}

func (k *kernelV1) write(w cgroupfs.Write) {
	allow := w.File == "devices.allow"
	if strings.HasPrefix(w.Value, "a") {
		k.deny, k.list = !allow, map[string]string{}
		return
	}
	f := strings.Fields(w.Value)
	key, letters := f[0]+" "+f[1], f[2]
	if allow == k.deny {
		k.list[key] += letters
		return
	}
	k.list[key] = strings.Map(func(r rune) rune {
		if strings.ContainsRune(letters, r) {
			return -1
		}
		return r
	}, k.list[key])
}

// allows asks as the kernel does: where all is denied one exception must have every kind of access, where all is
// allowed none may have any.
func (k *kernelV1) allows(q request) bool {
	for key, letters := range k.list {
		kind, numbers, _ := strings.Cut(key, " ")
		major, minor, _ := strings.Cut(numbers, ":")
		if (kind == "b") != (q.kind == 1) || major != "*" && major != fmt.Sprint(q.major) ||
			minor != "*" && minor != fmt.Sprint(q.minor) {
			continue
		}
		have := uint32(0)
		for bit, letter := range map[uint32]string{1: "m", 2: "r", 4: "w"} {
			if strings.Contains(letters, letter) {
				have |= bit
			}
		}
		if k.deny && q.access&^have == 0 || !k.deny && q.access&have != 0 {
			return k.deny
		}
	}
	return !k.deny
}

func TestDevicePlanV1AnswersByTheRules(t *testing.T) {
	all, v1 := requests(), layoutOf(t, "v1")
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t, 0)
		if rapid.Bool().Draw(t, "deny all first") {
			rules = append([]cgroupfs.DeviceRule{{Type: "a", Access: "rwm"}}, rules...)
		}
		writes, err := cgroupfs.Plan(v1, &cgroupfs.Resources{Devices: rules})
		if err != nil {
			if u := new(cgroupfs.UnsupportedError); !errors.As(err, &u) {
				t.Fatal(err)
			}
			return
		}
		k := kernelV1{list: map[string]string{}}
		for _, w := range writes {
			k.write(w)
		}
		for _, q := range all {
			if k.allows(q) != want(rules, q) {
				t.Fatalf("%+v: %t by %v", q, k.allows(q), writes)
			}
		}
	})
}

// TestDevicePlanV1Ends: rules whose pairs would be too many are refused, and many that do not meet are not.
func TestDevicePlanV1Ends(t *testing.T) {
	cross, plain := []cgroupfs.DeviceRule{{Type: "a"}}, []cgroupfs.DeviceRule{{Type: "a"}}
	for i := range int64(500) {
		cross = append(cross, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: &i, Access: "r"},
			cgroupfs.DeviceRule{Allow: true, Type: "c", Minor: &i, Access: "w"})
		plain = append(plain, cgroupfs.DeviceRule{Allow: true, Type: "b", Major: &i, Minor: &i, Access: "r"},
			cgroupfs.DeviceRule{Allow: true, Type: "b", Major: &i, Minor: &i, Access: "w"})
	}
	if _, err := cgroupfs.Plan(layoutOf(t, "v1"), &cgroupfs.Resources{Devices: cross}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("%v", err)
	}
	if writes, err := cgroupfs.Plan(layoutOf(t, "v1"), &cgroupfs.Resources{Devices: plain}); err != nil ||
		len(writes) != 501 {
		t.Errorf("%d writes, %v", len(writes), err)
	}
}
