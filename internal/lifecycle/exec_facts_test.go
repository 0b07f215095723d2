package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/log"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
)

func TestParseMap(t *testing.T) {
	got, err := parseMap("         0     100000      65536\n     65536          7          1\n")
	if diff := cmp.Diff([]oci.IDMapping{{ContainerID: 0, HostID: 100000, Size: 65536},
		{ContainerID: 65536, HostID: 7, Size: 1}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err := parseMap(""); err != nil || got == nil || len(got) > 0 {
		t.Errorf("a namespace that maps nothing yet: %v %v", got, err)
	}
	for _, bad := range []string{"1 2\n", "a b c\n", "1 2 3 4\n", "-1 0 1\n", "0 4294967296 1\n", "\n"} {
		if _, err := parseMap(bad); err == nil || !strings.Contains(err.Error(), "is not three numbers") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add("0 100000 65536\n")
	f.Add("0 0 4294967295\n1 2 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		maps, err := parseMap(text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, m := range maps {
			fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
		}
		again, err := parseMap(b.String())
		if diff := cmp.Diff(maps, again); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

// A process id may have been reused for another process: the stored start time reveals that, and the pidfd rules it
// out from the check on.
func TestExecNeverJoinsAnotherProcess(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	started, _, err := state.ProcessStart(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	logger, err := log.Open(log.Options{Path: filepath.Join(testenv.Dir(t), "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer logger.Close()
	r := &Runtime{Root: testenv.Dir(t), Log: logger}
	s := &state.State{OCIVersion: "1.2.0", ID: "reused", PID: cmd.Process.Pid, StartTime: started - 1}
	dir, err := r.store().Create(s)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	status, err := r.Exec(t.Context(), ExecOptions{ID: "reused", Changes: oci.Changes{Args: []string{"true"}}})
	if status != ExecFailed || err == nil ||
		!strings.Contains(err.Error(), "container reused: cannot exec in a stopped container") {
		t.Errorf("%d %v", status, err)
	}

	// While it is held, the process can end, but its number cannot mean another one.
	h, err := openProcess(cmd.Process.Pid, started)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if !h.alive() {
		t.Error("a living process is not alive")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if h.alive() {
		t.Error("a process that was reaped is alive")
	}
	e := &execution{r: r, o: ExecOptions{ID: "reused"}, state: &state.State{PID: os.Getpid()}, init: h}
	if _, _, err := e.facts(); err == nil || !strings.Contains(err.Error(), "cannot exec in a stopped container") {
		t.Errorf("facts of a process that has ended: %v", err)
	}
	if err := h.signal(unix.SIGTERM); err == nil {
		t.Error("it was signalled")
	}
}

// TestFactsOfAnEndingProcess checks that a process that has given up its namespaces is not mistaken for one that
// has none of its own. The executed process would then run in the host's namespaces.
func TestFactsOfAnEndingProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	for {
		_, alive, err := state.ProcessStart(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if !alive {
			break // it has ended and is not reaped yet
		}
	}
	target, running := spawn.Target{}, oci.Running{}
	err := (&execution{}).readFacts(proc, &target, &running)
	if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), "/ns/") || target.Root != nil ||
		len(target.Kinds) > 0 {
		t.Errorf("%v, %+v", err, target)
	}
}
