package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
)

// TestSmallChildIsLikeAWholeGenerated is TestSmallChildIsLikeAWhole for configurations that nobody has thought of. The
// usual run has a few of them, "make test-faults" hundreds.
func TestSmallChildIsLikeAWholeGenerated(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	most := max(8, 400/sweepStep(t))
	r := newRuntime(t)
	dir := testenv.Dir(t)
	for _, name := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "deep"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "file"), []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for seed := range most {
		change := rapid.Custom(func(t *rapid.T) map[string]any { return generated(t, dir) }).Example(seed)
		// A mount can make the place of a later one read-only. Then both must fail, in the same words.
		if small, _ := bothChildren(t, r, func(c map[string]any) { merge(c, change) }); small.status == 7 {
			ran++
		}
		if t.Failed() {
			text, _ := json.MarshalIndent(change, "", "  ")
			t.Fatalf("seed %d: %s", seed, text)
		}
	}
	if ran < most*3/4 {
		t.Errorf("only %d of %d containers started", ran, most)
	}
}

// merge puts the members of change into a configuration. A list is added to one that is there already.
func merge(config, change map[string]any) {
	for name, value := range change {
		switch value := value.(type) {
		case map[string]any:
			if old, ok := config[name].(map[string]any); ok {
				merge(old, value)
				continue
			}
		case []any:
			if old, ok := config[name].([]any); ok {
				config[name] = append(slices.Clip(old), value...)
				continue
			}
		}
		config[name] = value
	}
}

// drawing draws the parts of a configuration.
type drawing struct{ *rapid.T }

func (d drawing) yes(label string) bool          { return rapid.Bool().Draw(d.T, label) }
func (d drawing) number(label string, n int) int { return rapid.IntRange(0, n).Draw(d.T, label) }

// some draws a sublist.
func (d drawing) some(label string, from []string) []any {
	all := []any{}
	for _, s := range from {
		if d.yes(label + " " + s) {
			all = append(all, s)
		}
	}
	return all
}

// generated returns members to merge into the usual configuration, with which a container starts. dir has two
// directories to mount.
func generated(t *rapid.T, dir string) map[string]any {
	d := drawing{t}
	user := map[string]any{"uid": 0, "gid": d.number("gid", 3)}
	if d.yes("user") {
		user["uid"] = 1000 + d.number("uid", 2)
	}
	if n := d.number("groups", 3); n > 0 {
		user["additionalGids"] = []any{5, 7, 100}[:n]
	}
	if d.yes("umask") {
		user["umask"] = d.number("mask", 0o777)
	}
	process := map[string]any{
		"user": user, "noNewPrivileges": d.yes("no new privileges"),
		"cwd":          rapid.SampledFrom([]string{"/", "/tmp", "/home", "/root", "/proc/self"}).Draw(t, "cwd"),
		"capabilities": d.capabilities(),
		"rlimits":      d.limits(),
		"env":          d.some("variable", []string{"HOME=/x", "A=1", "A=2", "EMPTY=", "TERM=xterm"}),
	}
	if d.yes("oom") {
		process["oomScoreAdj"] = d.number("score", 1000)
	}
	linux := map[string]any{
		"maskedPaths":   d.some("masked", []string{"/proc/scsi", "/proc/timer_list", "/tmp", "/no/such", "/etc/group"}),
		"readonlyPaths": d.some("read-only", []string{"/proc/acpi", "/etc", "/no/such", "/etc/passwd"}),
		"devices":       d.devices(),
	}
	if d.yes("filter") {
		linux["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", -1, "kexec_load"))
	}
	if d.yes("sysctl") {
		linux["sysctl"] = map[string]any{"net.ipv4.ip_forward": fmt.Sprint(d.number("forward", 1)),
			"kernel.shmmni": fmt.Sprint(100 + d.number("shmmni", 5))}
	}
	if d.yes("cgroup namespace") {
		linux["namespaces"] = []any{map[string]any{"type": "cgroup"}}
	}
	if d.yes("propagation") {
		linux["rootfsPropagation"] = rapid.SampledFrom([]string{"rprivate", "rslave", "rshared"}).Draw(t, "kind")
	}
	return map[string]any{
		"hostname":   rapid.StringMatching(`[a-z]([a-z0-9-]{0,20}[a-z])?`).Draw(t, "hostname"),
		"domainname": rapid.StringMatching(`[a-z.]{0,10}`).Draw(t, "domain name"),
		"root":       map[string]any{"readonly": d.yes("read-only root")},
		"process":    process, "linux": linux, "mounts": d.mounts(dir),
	}
}

// capabilities draws sets that are allowed: what is effective or ambient is permitted, what is ambient is inheritable.
func (d drawing) capabilities() map[string]any {
	names := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SYSLOG"}
	sub := func(label string, from []any) []any {
		all := []any{}
		for _, c := range from {
			if d.yes(label) {
				all = append(all, c)
			}
		}
		return all
	}
	bounding := d.some("bounding", names)
	permitted := sub("permitted", bounding)
	inheritable := sub("inheritable", permitted)
	return map[string]any{"bounding": bounding, "permitted": permitted, "effective": sub("effective", permitted),
		"inheritable": inheritable, "ambient": sub("ambient", inheritable)}
}

func (d drawing) limits() []any {
	all := []any{}
	for _, kind := range d.some("limit", []string{"RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_MSGQUEUE"}) {
		hard := 1 << 10 // not above the limit of this process
		all = append(all, map[string]any{"type": kind, "soft": hard >> d.number("soft", 4), "hard": hard})
	}
	return all
}

func (d drawing) devices() []any {
	all := []any{}
	for _, path := range d.some("device", []string{"/dev/own", "/dev/sub/zero", "/dev/null"}) {
		minor := 5
		if path == "/dev/null" {
			minor = 3
		}
		all = append(all, map[string]any{"path": path, "type": "c", "major": 1, "minor": minor,
			"fileMode": 0o600 + d.number("mode", 0o77), "uid": d.number("owner", 2), "gid": d.number("group", 2)})
	}
	return all
}

// mounts draws mounts that come after the usual ones.
func (d drawing) mounts(dir string) []any {
	all := []any{}
	options := func(more ...string) []any {
		some := d.some("option", []string{"ro", "nosuid", "nodev", "noexec", "noatime"})
		for _, o := range more {
			some = append(some, o)
		}
		return some
	}
	for range d.number("mounts", 4) {
		at := rapid.SampledFrom([]string{"/new", "/new/deep/dir", "/tmp", "/mnt", "/root", "/new/file"}).Draw(d.T, "at")
		from := filepath.Join(dir, rapid.SampledFrom([]string{"a", "b"}).Draw(d.T, "from"))
		propagation := rapid.SampledFrom([]string{"rprivate", "private", "slave", "rslave", "unbindable"}).Draw(d.T, "spread")
		m := map[string]any{"destination": at, "source": from, "type": "bind", "options": options("rbind", propagation)}
		switch d.number("mount", 3) {
		case 0:
			m = map[string]any{"destination": at, "source": "tmpfs", "type": "tmpfs", "options": options("size=1m", propagation)}
			if d.yes("copied up") {
				m["options"] = append(m["options"].([]any), "tmpcopyup")
			}
		case 1:
			m["source"], m["destination"] = filepath.Join(from, "file"), fmt.Sprintf("/new/file%d", len(all))
		}
		all = append(all, m)
	}
	return all
}
