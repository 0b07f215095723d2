package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestKilledCreate: a create that is killed midway leaves a stopped container, and delete removes all of it.
func TestKilledCreate(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	bundle := shell(t, "exit 0", func(c map[string]any) {
		setHook(c, "createRuntime", 0, "/bin/sh", "sh", "-c", "cat > "+dir+"/state; echo $$ > "+dir+"/hook.new; mv "+dir+
			"/hook.new "+dir+"/hook; exec sleep 1000")
	})
	cmd := r.command("create", "-b", bundle, id)
	start(t, cmd)
	hook := filepath.Join(dir, "hook")
	eventually(t, "the hook runs", func() bool { _, err := os.Stat(hook); return err == nil })
	if s := r.stateOf(id); s["status"] != "creating" {
		t.Errorf("while the hook runs: %v", s)
	}
	r.fails([]string{"creating"}, "start", id)
	r.fails([]string{"creating"}, "delete", id)
	pid := strconv.Itoa(int(r.stateOf(id)["pid"].(float64)))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	data, _ := os.ReadFile(hook)
	if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		_ = syscall.Kill(n, syscall.SIGKILL) // nothing else would kill it
	}
	r.awaitStatus(id, "stopped")
	r.fails([]string{"stopped"}, "start", id)
	r.ok("delete", id)
	eventually(t, "the child has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// TestKilledCreateLeavesTheStreamsAlone: if create is killed while its child waits in a hook, neither writes to the
// container's standard error; with SIGTERM there is only the command's own error.
func TestKilledCreateLeavesTheStreamsAlone(t *testing.T) {
	for _, hook := range []string{"createRuntime", "createContainer"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(hook+" "+sig.String(), func(t *testing.T) {
				r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
				bundle := shell(t, "exit 0", func(c map[string]any) {
					removeNamespace(c, "pid") // so that $$ is the hook's pid here
					setHook(c, hook, 0, "/bin/sh", "sh", "-c", "echo $$ > "+dir+"/hook.new; mv "+dir+"/hook.new "+dir+
						"/hook; exec sleep 1000")
				})
				stderr, err := os.Create(filepath.Join(dir, "stderr"))
				if err != nil {
					t.Fatal(err)
				}
				defer stderr.Close()
				cmd := r.command("create", "-b", bundle, id)
				cmd.Stdout, cmd.Stderr = stderr, stderr
				start(t, cmd)
				eventually(t, "the hook runs", func() bool { _, err := os.Stat(filepath.Join(dir, "hook")); return err == nil })
				pid := strconv.Itoa(int(r.stateOf(id)["pid"].(float64)))
				_ = cmd.Process.Signal(sig)
				_ = cmd.Wait()
				data, _ := os.ReadFile(filepath.Join(dir, "hook"))
				if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
				eventually(t, "the child has ended", func() bool {
					stat, err := os.ReadFile("/proc/" + pid + "/stat")
					return err != nil || strings.Contains(string(stat), ") Z ")
				})
				data, err = os.ReadFile(stderr.Name())
				if err != nil {
					t.Fatal(err)
				}
				if lines := strings.Count(string(data), "\n"); sig == syscall.SIGKILL && lines > 0 || lines > 1 ||
					lines == 1 && !strings.HasPrefix(string(data), "time=") {
					t.Errorf("standard error holds %q", data)
				}
				r.ok("delete", "--force", id)
			})
		}
	}
}

// TestChildEndsWithItsCommand: after the command is killed, the child stops, even if its next request would come much
// later: it runs neither the next hook nor the mounts after it.
func TestChildEndsWithItsCommand(t *testing.T) {
	r, id, dir := newRuntime(t), testenv.ID(t), testenv.Dir(t)
	hook := func(script string) any {
		return map[string]any{"path": "/bin/sh", "args": []any{"sh", "-c", script}}
	}
	bundle := shell(t, "exit 0", func(c map[string]any) {
		removeNamespace(c, "pid") // so that the hook can find its grandparent
		c["hooks"] = map[string]any{"createContainer": []any{
			hook(`p=$(cut -d ' ' -f 4 /proc/$PPID/stat) && echo $PPID >` + dir + `/child && kill -9 $p &&
				while ! grep -q '^State:[^a-zA-Z]*Z' /proc/$p/status || [ $(ls /proc/$p/task | wc -l) -gt 1 ]; do
					[ -d /proc/$p ] || break
				done`),
			hook(`: >` + dir + `/went-on`),
		}}
	})
	cmd := r.command("create", "-b", bundle, id)
	start(t, cmd)
	_ = cmd.Wait()
	child, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	if _, err := os.Stat(filepath.Join(dir, "went-on")); !os.IsNotExist(err) {
		t.Errorf("the child ran the next hook without a parent: %v", err)
	}
	r.ok("delete", "--force", id)
}

// TestManyAtOnce: containers that are created and deleted in parallel do not disturb each other.
func TestManyAtOnce(t *testing.T) {
	r, rootfs := newRuntime(t), testenv.Busybox(t)
	var all sync.WaitGroup
	for i := range 12 {
		id := testenv.ID(t)
		bundle := testenv.Bundle(t, rootfs, func(c map[string]any) {
			testenv.SetArgs(c, "/bin/sh", "-c",
				fmt.Sprintf("echo %d; exit %d", i, i))
		})
		all.Go(func() {
			if o := r.do("run", "-b", bundle, id); o != (outcome{stdout: fmt.Sprintln(i), status: i}) {
				t.Errorf("%d: %+v", i, o)
			}
		})
	}
	all.Wait()
}

// TestOneNameOneContainer: of many creates with one id exactly one succeeds.
func TestOneNameOneContainer(t *testing.T) {
	r, id, bundle := newRuntime(t), testenv.ID(t), shell(t, "exit 0", nil)
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		all.Go(func() {
			o := r.do("create", "-b", bundle, id)
			mu.Lock()
			defer mu.Unlock()
			if o.status == 0 {
				made++
			} else if !strings.Contains(o.stderr, "already exists") {
				t.Errorf("%+v", o)
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("%d containers were made, want 1", made)
	}
	r.ok("delete", "--force", id)
}
