package view

import (
	"os"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	mounts := ParseMounts("22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
		"28 27 0:25 / /sys ro,nosuid shared:7 master:1 - sysfs sysfs rw\nnonsense\n\n")
	if want := []Mount{{"/proc", "proc", false}, {"/sys", "sysfs", true}}; !slices.Equal(mounts, want) {
		t.Errorf("mounts: got %v, want %v", mounts, want)
	}
	caps, sealed := ParseStatus("Name:\tx\nCapEff:\t8000010020000420\nNoNewPrivs:\t1\n")
	if want := []string{"KILL", "NET_BIND_SERVICE", "AUDIT_WRITE", "CHECKPOINT_RESTORE", "63"}; !sealed ||
		!slices.Equal(caps, want) {
		t.Errorf("status: got %v and %v, want %v and true", caps, sealed, want)
	}
	groups := ParseCgroups("9:name=systemd:/\n8:pids:/a:b\n1:cpu,cpuacct:/\n0::/x\n")
	if want := []string{"/", "/a:b", "/x"}; !slices.Equal(groups, want) {
		t.Errorf("groups: got %q, want %q", groups, want)
	}
}

func TestLook(t *testing.T) {
	v := Look()
	if v.PID != os.Getpid() || v.UID != os.Getuid() || v.Processes < 1 || len(v.Mounts) < 1 {
		t.Errorf("this process sees %+v", v)
	}
}
