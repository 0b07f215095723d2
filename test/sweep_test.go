package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/faults"
	"github.com/handfast/handfast/internal/testenv"
)

// sweepStep returns the step between the system calls that a sweep tries: 1 for every call, as in "make test-faults";
// otherwise it is a sample, a different one for each command.
func sweepStep(t testing.TB) int {
	t.Helper()
	text := os.Getenv("HANDFAST_TEST_FAULTS")
	if text == "" {
		if testenv.Virtual() {
			return 151
		}
		return 61
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HANDFAST_TEST_FAULTS=%s: want a number above 0", text)
	}
	return n
}

// sweepCase is a command that is interrupted.
type sweepCase struct {
	name   string
	before [][]string // commands to run first, without faults; ID is the container's id
	args   []string
}

var sweepCases = []sweepCase{
	{"create", nil, []string{"create", "-b", "BUNDLE", "ID"}},
	{"start", [][]string{{"create", "-b", "BUNDLE", "ID"}}, []string{"start", "ID"}},
	{"run", nil, []string{"run", "-b", "BUNDLE", "ID"}},
	{"exec", [][]string{{"run", "-d", "-b", "BUNDLE", "ID"}}, []string{"exec", "ID", "/bin/true"}},
	{"update", [][]string{{"run", "-d", "-b", "BUNDLE", "ID"}},
		[]string{"update", "--memory", "64m", "--pids-limit", "50", "ID"}},
	{"delete", [][]string{{"run", "-d", "-b", "BUNDLE", "ID"}}, []string{"delete", "--force", "ID"}},
}

// sweep is the bundle that all commands of a sweep use.
type sweep struct {
	*runtime
	bundle, group, id string
}

func (s *sweep) fill(args []string) []string {
	out := make([]string, 0, len(args))
	for _, a := range args {
		out = append(out, strings.NewReplacer("BUNDLE", s.bundle, "ID", s.id).Replace(a))
	}
	return out
}

// TestSweep: whichever call of a command is the last one before a SIGKILL, and whichever call fails, nothing hangs, an
// error names its cause, and delete leaves no process, mount, group, state or socket.
func TestSweep(t *testing.T) {
	step := sweepStep(t)
	for i, c := range sweepCases {
		t.Run(c.name, func(t *testing.T) {
			r := newRuntime(t)
			s := &sweep{runtime: r, id: testenv.ID(t)}
			s.bundle, s.group = deepGroup(t)
			edit(t, s.bundle, func(config map[string]any) {
				script := "exec sleep 1000"
				if c.name == "run" {
					script = "exit 0"
				}
				testenv.SetArgs(config, "/bin/sh", "-c", script)
				linux(config)["resources"] = map[string]any{
					"memory": map[string]any{"limit": 128 << 20}, "pids": map[string]any{"limit": 100},
				}
				process(config)["scheduler"] = map[string]any{"policy": "SCHED_BATCH"}
				process(config)["ioPriority"] = map[string]any{"class": "IOPRIO_CLASS_IDLE"}
				linux(config)["personality"] = map[string]any{"domain": "LINUX"}
				linux(config)["memoryPolicy"] = map[string]any{"mode": "MPOL_LOCAL"}
				addMount(config, "/dev/shm", "", "", "remount", "nosuid", "size=1m")
				for _, kind := range []string{"createRuntime", "createContainer", "poststart", "poststop"} {
					setHook(config, kind, 0, "/bin/true")
				}
			})
			report := s.try(t, c, faults.At{}, faults.None())
			t.Logf("%d calls change something", len(report.Calls))
			for n := 1 + 7*i%step; n <= len(report.Calls); n += step {
				call := report.Calls[n-1]
				s.try(t, c, faults.At{N: n}, faults.Kill())
				for k, errno := range faults.Errnos(call.Name) {
					if (k+n)%min(step, 5) == 0 {
						s.try(t, c, faults.At{N: n}, faults.Errno(errno))
					}
				}
			}
		})
	}
}

// try runs the command once with a fault, and checks what is left after delete --force.
func (s *sweep) try(t *testing.T, c sweepCase, at faults.At, f faults.Fault) faults.Report {
	t.Helper()
	for _, args := range c.before {
		s.ok(s.fill(args)...)
	}
	pids := s.processes()
	report, said := s.faulty(at, f, s.fill(c.args)...)
	where := "without a fault"
	if report.Hit != nil {
		where = f.String() + " at call " + strconv.Itoa(at.N) + ", " + report.Hit.String()
	}
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf(where+": "+format+"\n\tit said: %s", append(args, said)...)
	}
	if report.Hung {
		bad("it hangs")
	}
	if strings.Contains(said, "goroutine ") {
		bad("stack traces")
	}
	failed := report.Status.ExitStatus() != 0 && report.Hit != nil
	if errno := f.Errno(); errno != 0 && failed && !strings.Contains(said, errno.Error()) {
		bad("the error does not say %q", errno.Error())
	}
	if f == faults.None() && report.Status.ExitStatus() != 0 {
		bad("it failed")
	}
	if o := s.do("delete", "--force", s.id); o.status != 0 {
		bad("delete --force: %s", o.stderr)
		if o = s.do("delete", "--force", s.id); o.status != 0 {
			t.Fatalf("delete --force once more: %s", o.stderr)
		}
	}
	if _, err := os.Lstat(filepath.Join(s.root, s.id)); err == nil {
		bad("the state is left")
	}
	if left := groupsNamed(t, filepath.Dir(s.group)); len(left) > 0 {
		// EBUSY means that another process has put something into the parent: then it is theirs.
		hit := report.Hit
		if f.Errno() != unix.EBUSY || hit == nil || hit.Name != "unlinkat" || !strings.HasPrefix(hit.Path, "../../") {
			bad("groups are left: %v", left)
		}
		removeEmpty(left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), filepath.Dir(rootOf(t, s.bundle))) {
		bad("a mount is left")
	}
	for _, pid := range append(pids, report.Left...) {
		eventually(t, where+": process "+strconv.Itoa(pid)+" has ended", func() bool { return ended(pid) })
	}
	return report
}

// processes returns the current processes of the container.
func (s *sweep) processes() (pids []int) {
	out, _ := exec.Command(s.binary, "--root", s.root, "ps", "-f", "json", s.id).Output()
	for field := range strings.FieldsFuncSeq(string(out), func(r rune) bool { return r < '0' || r > '9' }) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func ended(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ") || unix.Kill(pid, 0) == unix.ESRCH
}
