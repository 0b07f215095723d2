package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/faults"
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/testenv"
)

// childCall is a call that a container's child makes: the n-th of those with the same name and path.
type childCall struct {
	faults.Call
	n int
}

// at describes the call in every child that a command makes: in a small one, and in the whole one that follows it.
func (c childCall) at() faults.At {
	return faults.At{N: c.n, Any: true, Each: true, Where: func(other faults.Call) bool {
		return identity(other) == identity(c.Call) && isChild(other)
	}}
}

// identity tells the calls of a child apart, as far as they are the same in every run and in both children: one may
// give a path and the other the descriptor of that path, and the numbers of descriptors differ.
func identity(c faults.Call) string {
	if c.Name == "mount_setattr" || c.Name == "dup3" {
		return c.Name
	}
	if strings.HasPrefix(c.Path, os.TempDir()) {
		return c.Name + " " + filepath.Base(c.Path)
	}
	return c.Name + " " + c.Path
}

// isChild reports whether a container's child makes the call, small or whole. The program that it executes has other
// arguments.
func isChild(c faults.Call) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.PID))
	return bytes.HasPrefix(line, []byte("handfast\x00init\x00"))
}

// TestSmallChildFailsLikeAWholeAtEachCall: whichever system call of the small child fails, and in whichever way, the
// command says the same words as if a whole child had met the failure. For what fails before the hooks a whole child
// finds them, in another attempt; for what fails after them the parent does, or they stand in the program.
func TestSmallChildFailsLikeAWholeAtEachCall(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	for i, c := range []struct {
		name   string
		script string // FLAGS, BUNDLE and ID stand for what they say
		change func(config map[string]any)
	}{
		{"run", "exec handfast run FLAGS -b BUNDLE ID", func(config map[string]any) {
			setHook(config, "createRuntime", 0, "/bin/true")
			process(config)["user"] = map[string]any{"uid": 1000, "gid": 100, "additionalGids": []int{5, 7}}
			process(config)["cwd"] = "/tmp"
			process(config)["rlimits"] = []map[string]any{{"type": "RLIMIT_CORE", "soft": 100, "hard": 200}}
			some := []string{"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_NET_RAW"}
			process(config)["capabilities"] = map[string]any{"bounding": some, "permitted": some, "effective": some[:2],
				"inheritable": some[:2], "ambient": some[:1]}
			process(config)["env"] = []string{"PATH=/bin"}
			linux(config)["maskedPaths"] = []string{"/proc/kcore", "/sys/firmware", "/proc/scsi"}
			linux(config)["readonlyPaths"] = []string{"/proc/sys", "/proc/bus"}
			config["root"].(map[string]any)["readonly"] = true
			linux(config)["rootfsPropagation"] = "rshared"
			addMount(config, "/etc", "tmpfs", "tmpfs", "tmpcopyup")
		}},
		{"create and start", "handfast create FLAGS -b BUNDLE ID && handfast start ID", func(config map[string]any) {
			process(config)["noNewPrivileges"] = false
			linux(config)["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []map[string]any{
				{"names": []string{"kexec_load"}, "action": "SCMP_ACT_ERRNO"}}}
			config["hostname"], config["domainname"] = "small", "child"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRuntime(t)
			bundle := shell(t, "exit 0", c.change) // its path is part of what tells calls apart
			try := func(at faults.At, f faults.Fault, flags string) (faults.Report, string) {
				id, said := testenv.ID(t), ""
				r.wrap = func(cmd *exec.Cmd) *exec.Cmd {
					text := strings.NewReplacer("handfast", strings.Join(cmd.Args, " "), "FLAGS", flags, "BUNDLE", bundle,
						"ID", id).Replace(c.script)
					return exec.Command("sh", "-c", text)
				}
				report, said := r.faulty(at, f)
				r.wrap = nil
				r.ok("delete", "--force", id)
				if report.Hung {
					t.Errorf("%v: it hangs", report.Hit)
				}
				_, words, _ := strings.Cut(said, "msg=")
				return report, changing.ReplaceAllString(words, "*")
			}
			report, said := try(faults.At{Any: true, Where: isChild}, faults.None(), "")
			if report.Status.ExitStatus() != 0 || len(report.Calls) < 100 {
				t.Fatalf("%d calls, and it said: %s", len(report.Calls), said)
			}
			seen, all, only := map[string]int{}, []childCall{}, 0
			for _, call := range report.Calls {
				seen[identity(call)]++
				all = append(all, childCall{call, seen[identity(call)]})
			}
			step, compared := (sweepStep(t)+2)/3, 0
			for n := 3 * i % step; n < len(all); n += step {
				errnos := faults.Errnos(all[n].Name)
				if all[n].Name == "accept4" {
					continue // nobody has connected who could be told
				}
				if step > 1 && len(errnos) > 0 {
					errnos = errnos[n%len(errnos):][:1]
				}
				for _, errno := range errnos {
					trace := filepath.Join(testenv.Dir(t), "trace")
					w, whole := try(all[n].at(), faults.Errno(errno), "--trace "+trace)
					if w.Hit == nil { // a whole child does the same by other calls
						only++
						t.Logf("only the small child has call %d of %d, %v", n, len(all), all[n])
						break
					}
					compared++
					s, small := try(all[n].at(), faults.Errno(errno), "")
					if small != whole || s.Status != w.Status || s.Hit == nil {
						t.Errorf("%v at call %d of %d, %v (%d):\n\tsmall, status %d: %s\twhole, status %d: %s", errno, n, len(all),
							all[n].Call, all[n].n, s.Status.ExitStatus(), small, w.Status.ExitStatus(), whole)
					}
				}
			}
			t.Logf("%d calls, %d failures compared; %d calls that a whole child does not make", len(all), compared, only)
			if compared < len(all)/step/3 {
				t.Errorf("only %d failures were compared", compared)
			}
		})
	}
}
