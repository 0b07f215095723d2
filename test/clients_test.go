package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// adaptation is a change that a client's configuration needs to run here, and why.
type adaptation struct {
	why   string
	apply func(a *adapting, c map[string]any) bool // false: nothing had to be changed
}

// adapting is the state of one test while adaptations are applied.
type adapting struct {
	t      *testing.T
	rootfs string
	id     string
}

// adaptations are the only changes to the 36 configurations. Seccomp, capabilities, no_new_privs, masked and read-only
// paths, the kinds of namespaces, mappings, mounts and their options stay the client's.
var adaptations = []adaptation{
	{"the root file system and the program are the client's own", func(a *adapting, c map[string]any) bool {
		c["root"].(map[string]any)["path"] = a.rootfs
		testenv.SetArgs(c, "/bin/sh", "-c", confinement+"; echo end; sleep 1000")
		process(c)["env"] = append(list(process(c), "env"), "PATH=/bin:/sbin:/usr/bin:/usr/sbin")
		return true
	}},
	{"nobody shows the terminal", func(_ *adapting, c map[string]any) bool {
		had := process(c)["terminal"] == true
		delete(process(c), "terminal")
		delete(process(c), "consoleSize")
		return had
	}},
	{"a control group of the test's own", func(a *adapting, c map[string]any) bool {
		linux(c)["cgroupsPath"] = testenv.CgroupParent() + "/" + a.id
		return true
	}},
	{"sources of mounts are files of the client's host", (*adapting).createSources},
	{"images belong to the root of the user namespace, which may make what mounts cover: here it is there",
		(*adapting).createDestinations},
	{"hooks are programs of the client's host", func(_ *adapting, c map[string]any) bool {
		had := c["hooks"] != nil
		delete(c, "hooks")
		return had
	}},
	{"the namespaces that were joined are gone: new ones of their kinds", func(_ *adapting,
		c map[string]any) (had bool) {
		for _, n := range list(linux(c), "namespaces") {
			had = had || n.(map[string]any)["path"] != nil
			delete(n.(map[string]any), "path")
		}
		return had
	}},
	{"limits of processes above this caller's hard ones take CAP_SYS_RESOURCE", (*adapting).rlimits},
	{"limits that this host's control groups cannot express", (*adapting).limits},
}

func list(of map[string]any, key string) []any {
	l, _ := of[key].([]any)
	return l
}

// createSources creates a file or a directory for each source that does not exist here, depending on its name.
func (a *adapting) createSources(c map[string]any) (changed bool) {
	for i, m := range list(c, "mounts") {
		m := m.(map[string]any)
		options := fmt.Sprint(m["options"])
		source, _ := m["source"].(string)
		if !strings.Contains(options, "bind") || !strings.HasPrefix(source, "/") {
			continue
		}
		if _, err := os.Stat(source); err == nil && !strings.HasPrefix(source, "/srv") {
			continue
		}
		made := filepath.Join(testenv.Dir(a.t), fmt.Sprint(i))
		destination := m["destination"].(string)
		var err error
		if strings.HasPrefix(destination, "/etc/") || path.Base(destination) == ".containerenv" ||
			path.Base(destination) == "termination-log" {
			err = os.WriteFile(made, []byte("made for the test\n"), 0o644)
		} else {
			err = os.Mkdir(made, 0o755)
		}
		if err != nil {
			a.t.Fatal(err)
		}
		m["source"], changed = made, true
	}
	return changed
}

// createDestinations creates the destinations of bind mounts in the root file system.
func (a *adapting) createDestinations(c map[string]any) (changed bool) {
	for _, m := range list(c, "mounts") {
		m := m.(map[string]any)
		info, err := os.Stat(m["source"].(string))
		place := filepath.Join(a.rootfs, m["destination"].(string))
		if _, have := os.Stat(place); err != nil || have == nil || !filepath.IsAbs(m["source"].(string)) {
			continue
		}
		dir := place
		if !info.IsDir() {
			dir = filepath.Dir(place)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			a.t.Fatal(err)
		}
		if !info.IsDir() {
			if err := os.WriteFile(place, nil, 0o644); err != nil {
				a.t.Fatal(err)
			}
		}
		changed = true
	}
	return changed
}

func (a *adapting) rlimits(c map[string]any) (changed bool) {
	for _, l := range list(process(c), "rlimits") {
		l := l.(map[string]any)
		resource := map[any]int{"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC}[l["type"]]
		var have unix.Rlimit
		if err := unix.Getrlimit(resource, &have); err != nil {
			a.t.Fatal(err)
		}
		for _, which := range []string{"soft", "hard"} {
			if l[which].(float64) > float64(have.Max) {
				l[which], changed = have.Max, true
			}
		}
	}
	return changed
}

// limits removes what only v1 or only v2 has, if this host has the other.
func (a *adapting) limits(c map[string]any) (changed bool) {
	memory, _ := object(linux(c), "resources", "memory")
	if memory == nil {
		return false
	}
	if _, v1 := os.Stat("/sys/fs/cgroup/memory"); v1 != nil && memory["disableOOMKiller"] == true {
		delete(memory, "disableOOMKiller")
		changed = true
	}
	if swap, err := filepath.Glob("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"); err == nil && len(swap) == 0 {
		if _, v1 := os.Stat("/sys/fs/cgroup/memory"); v1 == nil && memory["swap"] != nil {
			delete(memory, "swap")
			changed = true
		}
	}
	return changed
}

func object(of map[string]any, keys ...string) (map[string]any, bool) {
	for _, k := range keys {
		next, ok := of[k].(map[string]any)
		if !ok {
			return nil, false
		}
		of = next
	}
	return of, true
}

// confinement is a command that prints what confines a process.
const confinement = "grep -E '^(Seccomp:|NoNewPrivs:|Cap)' /proc/self/status"

// TestClientsContainers runs the configurations of real clients as real containers. Their seccomp, capabilities and
// masks must apply to the container's process and to one that joins it.
func TestClientsContainers(t *testing.T) {
	testenv.Root(t)
	files, err := filepath.Glob("../internal/oci/testdata/clients/*.config.json")
	if err != nil || len(files) != 36 {
		t.Fatalf("%d configurations, want 36: %v", len(files), err)
	}
	rootfs := testenv.Busybox(t)
	r := newRuntime(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".config.json"), func(t *testing.T) {
			r := *r
			r.t = t
			a := &adapting{t: t, rootfs: rootfs, id: testenv.ID(t)}
			a.runAsContainer(&r, file)
		})
	}
}

func (a *adapting) runAsContainer(r *runtime, file string) {
	t := a.t
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	for _, change := range adaptations {
		if change.apply(a, c) {
			t.Log("adapted:", change.why)
		}
	}
	bundle := testenv.Dir(t)
	if data, err = json.Marshal(c); err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(bundle, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	create := r.command("create", "-b", bundle, a.id)
	create.Stdout, create.Stderr = out, out
	if err := create.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		t.Fatalf("create: %v: %s", err, said)
	}
	defer r.ok("delete", "--force", a.id)
	r.ok("start", a.id)
	var seen string
	eventually(t, "the end of what the process says", func() bool {
		data, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		var whole bool
		seen, whole = strings.CutSuffix(string(data), "end\n")
		return whole || !strings.Contains("running created", r.stateOf(a.id)["status"].(string))
	})
	a.checkConfinement(c, seen)
	if joined := r.do("exec", a.id, "/bin/sh", "-c", confinement); joined.stdout != seen || joined.status != 0 {
		t.Errorf("exec is confined otherwise: %+v\n%s", joined, seen)
	}
	a.checkMaskedPaths(r, c)
}

// checkConfinement compares the output of confinement with the configuration.
func (a *adapting) checkConfinement(c map[string]any, seen string) {
	yes := map[bool]string{false: "0", true: "1"}
	want := []string{"NoNewPrivs:\t" + yes[process(c)["noNewPrivileges"] == true], "Seccomp:\t0"}
	if linux(c)["seccomp"] != nil {
		want[1] = "Seccomp:\t2"
	}
	if caps, ok := process(c)["capabilities"].(map[string]any); ok && caps["bounding"] != nil {
		want = append(want, fmt.Sprintf("CapBnd:\t%016x", mask(a.t, list(caps, "bounding"))))
	}
	contains(a.t, seen, want...)
}

// mask returns capabilities as /proc shows them, without those that this kernel or this caller does not have.
func mask(t *testing.T, names []any) (bits uint64) {
	t.Helper()
	for n, name := range capabilityNames {
		if slices.Contains(names, any("CAP_"+name)) {
			if have, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0); err == nil && have == 1 {
				bits |= 1 << n
			}
		}
	}
	return bits
}

// capabilityNames are the names in <linux/capability.h>, in their order.
var capabilityNames = strings.Fields(`
	CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
	NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
	SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
	MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
`)

// checkMaskedPaths checks the paths that must not be readable, and those that must not be writable.
func (a *adapting) checkMaskedPaths(r *runtime, c map[string]any) {
	script := "n=0; for f in " + words(list(linux(c), "maskedPaths")) + "; do " +
		`if test -d $f; then test -z "$(ls -A $f)" || echo "readable: $f"; ` +
		`elif test -e $f; then test -z "$(head -c 1 $f)" || echo "readable: $f"; fi; done; ` +
		"for d in " + words(list(linux(c),
		"readonlyPaths")) + `; do test ! -e $d || ` +
		`grep -qE "^[^ ]+ $d [^ ]+ ro" /proc/mounts || echo "writable: $d"; done`
	if o := r.do("exec", a.id, "/bin/sh", "-c", script); o.stdout != "" || o.status != 0 {
		a.t.Errorf("%+v", o)
	}
}

func words(paths []any) string {
	var b strings.Builder
	for _, p := range paths {
		b.WriteString(p.(string) + " ")
	}
	return b.String()
}
