package test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

// TestBindAttributes records the attributes of binds that name some, in the host's user namespace and in one of the
// container's own. Outside of a user namespace the golden file equals runc 1.1, except that an option that clears an
// attribute always does so, even if no other option sets one. Inside it equals the table of runc 1.2.
func TestBindAttributes(t *testing.T) {
	var all strings.Builder
	rootfs := testenv.Rootfs(t, testenv.Tool(t, "busybox", "busybox-static"))
	add := func(users bool, source string, options []string) {
		got := bindAttributesOf(t, rootfs, source, options, users)
		for i, o := range options {
			fmt.Fprintf(&all, "user namespace %-5v source %-22s options %-13s %s\n", users, source, o, got[i])
		}
	}
	for _, source := range []string{"nosuid,noatime", "ro,nodev,noexec", "strictatime,nodiratime", "nosymfollow"} {
		add(false, source, bindAttributes)
	}
	for _, source := range []string{"nosuid,noatime", "ro,nodev,noexec", "strictatime,nodiratime", "nodev,nosymfollow"} {
		for _, options := range bindAttributes { // one by one, because some are errors
			add(true, source, []string{options})
		}
	}
	golden.Compare(t, filepath.Join("testdata", "bindflags.txt"), all.String())
}

// bindAttributes are the options of the binds, one bind per entry.
var bindAttributes = []string{
	"", "ro,noexec", "rw", "suid,dev,exec", "nodev", "atime", "noatime", "relatime", "strictatime", "nodiratime",
	"diratime", "symfollow",
	"ro,noatime", "rw,nosuid",
}

// bindAttributesOf returns, for each of these options, the attributes in mountinfo of a bind of source with them, or
// the error.
func bindAttributesOf(t *testing.T, rootfs, source string, options []string, users bool) []string {
	t.Helper()
	r := newRuntime(t)
	dir := testenv.Dir(t)
	bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
		testenv.SetArgs(c, "/bin/busybox", "sed", "-n", `s/.* \/home\/[0-9]* \([^ ]*\) .*/\1/p`, "/proc/self/mountinfo")
		addMount(c, "/home", "tmpfs", "tmpfs")
		for i, o := range options {
			given := []string{"bind"}
			if o != "" {
				given = append(given, strings.Split(o, ",")...)
			}
			addMount(c, fmt.Sprintf("/home/%d", i), "bind", dir, given...)
		}
		if users {
			testenv.MapIDs(c, 300000, 65536)
		}
	})
	script := "mount -t tmpfs x " + dir + ` && mount -o remount,bind,` + source + ` ` + dir + ` && exec "$@"`
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	o := finish(t, exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script,
		"sh"}, cmd.Args...)...))
	out := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if _, rest, failed := strings.Cut(o.stderr, "msg="); failed {
		message, err := strconv.QuotedPrefix(rest)
		must(t, err)
		out = []string{strings.TrimSpace(strings.ReplaceAll(message, dir, "SOURCE"))}
	}
	if len(out) != len(options) {
		t.Fatalf("%s with %q: %q %q", source, options, o.stdout, o.stderr)
	}
	return out
}
