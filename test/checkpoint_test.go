package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

// saver is a container that is saved and restored.
type saver struct {
	*runtime
	id, bundle string
	images     string // directory of the image files
	log        string // of the runtime
}

// newSaver makes a bundle with a shell script as its program. The runtime logs to a file, because a container has its
// own standard error.
func newSaver(t testing.TB, script string, mutate func(config map[string]any)) *saver {
	t.Helper()
	testenv.CRIU(t)
	return bundled(t, shell(t, script, mutate))
}

func bundled(t testing.TB, bundle string) *saver {
	dir := testenv.Dir(t)
	s := &saver{id: testenv.ID(t), bundle: bundle, images: filepath.Join(dir, "images"), log: filepath.Join(dir, "log")}
	s.runtime = newRuntime(t, "--log", s.log)
	t.Cleanup(func() { _ = s.command("delete", "--force", s.id).Run() })
	return s
}

// try runs a command with /dev/null as its standard streams, which a container can keep over a checkpoint. It returns
// the last line of the log if the command fails.
func (s *saver) try(args ...string) error {
	s.t.Helper()
	cmd := s.command(args...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, s.lastWords())
	}
	return nil
}

func (s *saver) lastWords() string {
	data, _ := os.ReadFile(s.log)
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return all[len(all)-1]
}

func (s *saver) run(args ...string) {
	s.t.Helper()
	must(s.t, s.try(append([]string{"run", "--detach", "-b", s.bundle, s.id}, args...)...))
}

func (s *saver) checkpoint(args ...string) {
	s.t.Helper()
	must(s.t, s.try(append([]string{"checkpoint", "--image-path", s.images, s.id}, args...)...))
}

func (s *saver) restore(args ...string) {
	s.t.Helper()
	must(s.t, s.try(append([]string{"restore", "--detach", "-b", s.bundle, "--image-path", s.images, s.id}, args...)...))
	s.awaitStatus(s.id, "running")
}

// gone checks that a checkpoint or a restore has left no container.
func (s *saver) gone() {
	s.t.Helper()
	if _, err := os.Stat(filepath.Join(s.root, s.id)); !os.IsNotExist(err) {
		s.t.Errorf("the container is still there: %v", err)
	}
}

// countingUp is a program that counts in a file, for as long as it lives.
const countingUp = `i=0; while :; do i=$((i+1)); echo $i >/count.new; mv /count.new /count; sleep 0.05; done`

// count returns what the program has counted to.
func (s *saver) count() int {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(rootOf(s.t, s.bundle), "count"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return n
}

// counts waits until the program has counted on from n.
func (s *saver) counts(n int) int {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the counter is beyond %d", n), func() bool { return s.count() > n })
	return s.count()
}

// TestCheckpointCounter saves a program that counts in every way: first its memory, then what has changed since while
// it goes on, and at last for good. A restore that fails leaves nothing; the next one goes on where the program was.
func TestCheckpointCounter(t *testing.T) {
	s := newSaver(t, countingUp, nil)
	s.run()
	s.counts(3)
	before := filepath.Join(filepath.Dir(s.images), "before")
	must(t, s.try("checkpoint", "--pre-dump", "--image-path", before, s.id))
	s.counts(s.count())
	s.checkpoint("--parent-path", "../before", "--leave-running", "--work-path", testenv.Dir(t))
	s.counts(s.count())
	if _, err := os.Stat(filepath.Join(s.images, "parent", "inventory.img")); err != nil {
		t.Errorf("the checkpoint has no parent: %v", err)
	}
	s.images = filepath.Join(filepath.Dir(s.images), "last")
	s.checkpoint()
	s.gone()
	at := s.count()
	must(t, os.Remove(filepath.Join(rootOf(t, s.bundle), "count"))) // the number is in the program's memory

	core := filepath.Join(s.images, "core-1.img")
	must(t, os.Rename(core, core+".away"))
	mounts := read(t, "/proc/self/mountinfo")
	err := s.try("restore", "--detach", "-b", s.bundle, "--image-path", s.images, s.id)
	if err == nil || !strings.Contains(err.Error(), "criu failed: restore") ||
		!strings.Contains(err.Error(), "restore.log") {
		t.Errorf("without core-1.img: %v", err)
	}
	s.gone()
	s.noGroup()
	if now := read(t, "/proc/self/mountinfo"); now != mounts {
		t.Errorf("mounts before the failed restore\n%s\nand after\n%s", mounts, now)
	}
	must(t, os.Rename(core+".away", core))

	pidFile := filepath.Join(testenv.Dir(t), "pid")
	s.restore("--pid-file", pidFile)
	if now := s.counts(at); now > at+1000 {
		t.Errorf("from %d it went on with %d", at, now)
	}
	if pid := read(t, pidFile); fmt.Sprint(s.stateOf(s.id)["pid"]) != pid {
		t.Errorf("pid file %q, want %v", pid, s.stateOf(s.id)["pid"])
	}
	if now := read(t, "/proc/self/mountinfo"); now != mounts {
		t.Errorf("mounts before the restore\n%s\nand after\n%s", mounts, now)
	}
	o := s.do("exec", s.id, "cat", "/proc/1/comm")
	if o.status != 0 || o.stdout != "sh\n" {
		t.Errorf("exec in the restored container: %+v", o)
	}
	s.ok("pause", s.id)
	s.ok("resume", s.id)
	s.ok("delete", "--force", s.id)
	s.noGroup()
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

// noGroup checks that the container's group is gone.
func (s *saver) noGroup() {
	s.t.Helper()
	var group string
	edit(s.t, s.bundle, func(c map[string]any) { group = linux(c)["cgroupsPath"].(string) })
	out, err := exec.Command("find", "/sys/fs/cgroup", "-type", "d", "-name", filepath.Base(group)).Output()
	if err != nil || len(out) > 0 {
		s.t.Errorf("left of the group: %s%v", out, err)
	}
}

// TestCheckpointPipes restores a container whose standard streams are pipes with other pipes, twice, the second time
// from a checkpoint of the restored one while it is paused. Its network namespace belongs to another process.
func TestCheckpointPipes(t *testing.T) {
	testenv.CRIU(t)
	holder := exec.Command("unshare", "--net", "sleep", "inf")
	start(t, holder)
	network := fmt.Sprintf("/proc/%d/ns/net", holder.Process.Pid)
	own, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	eventually(t, "a network namespace", func() bool {
		other, err := os.Readlink(network)
		return err == nil && other != own
	})
	s := newSaver(t, `while read line; do echo "heard $line"; done`, func(c map[string]any) {
		for _, n := range linux(c)["namespaces"].([]any) {
			if n := n.(map[string]any); n["type"] == "network" {
				n["path"] = network
			}
		}
	})
	connect := func(args ...string) (io.WriteCloser, *lines) {
		cmd := s.command(args...)
		in, stdin, err := os.Pipe()
		must(t, err)
		stdout, out, err := os.Pipe()
		must(t, err)
		t.Cleanup(func() { stdin.Close(); stdout.Close() })
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, out
		err = cmd.Run()
		in.Close()
		out.Close()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, s.lastWords())
		}
		return stdin, newLines(stdout)
	}
	in, out := connect("run", "--detach", "-b", s.bundle, s.id)
	_, _ = io.WriteString(in, "one\n")
	out.want(t, "heard one")
	for _, word := range []string{"two", "three"} {
		if word == "three" {
			s.ok("pause", s.id)
		}
		s.checkpoint()
		s.gone()
		in, out = connect("restore", "--detach", "-b", s.bundle, "--image-path", s.images, s.id)
		_, _ = io.WriteString(in, word+"\n")
		out.want(t, "heard "+word)
		joined, err := os.Readlink(fmt.Sprintf("/proc/%v/ns/net", s.stateOf(s.id)["pid"]))
		if want, _ := os.Readlink(network); joined != want || err != nil {
			t.Errorf("the restored container is in %s, %v; want %s", joined, err, want)
		}
	}
	in.Close()
	s.awaitStatus(s.id, "stopped")
	s.ok("delete", s.id)
}

// TestCheckpointConnection saves a container with an established connection over its loopback, with binds from the
// host, its cgroup and masked paths. Its hooks run at a restore as at a create, and one that fails ends the restore.
func TestCheckpointConnection(t *testing.T) {
	// nc ends with its standard input, so that of the listener never ends.
	const script = `sleep 99999 | nc -l -p 5000 | while read n; do echo $n >/count.new; mv /count.new /count; done &
		until { i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done 2>/dev/null | nc 127.0.0.1 5000; }; do sleep 0.1; done`
	volume := testenv.Dir(t)
	must(t, os.WriteFile(filepath.Join(volume, "file"), []byte("kept"), 0o644))
	must(t, os.Mkdir(filepath.Join(volume, "part"), 0o755))
	must(t, os.Symlink("part", filepath.Join(volume, "link")))
	said := filepath.Join(testenv.Dir(t), "hooks")
	hook := func(text string) []any {
		return []any{map[string]any{"path": "/bin/sh", "args": []any{"sh", "-c", text}}}
	}
	s := newSaver(t, script, func(c map[string]any) {
		c["mounts"] = append(c["mounts"].([]any),
			map[string]any{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": []any{"ro"}},
			map[string]any{"destination": "/mnt/volume", "source": volume, "options": []any{"rbind", "rprivate"}},
			map[string]any{"destination": "/mnt/volume/file", "source": volume + "/file",
				"options": []any{"bind", "ro", "private"}})
		linux(c)["readonlyPaths"] = []any{"/proc/sys", "/etc", "/mnt/volume/link"}
		c["hooks"] = map[string]any{
			"createRuntime": hook("echo createRuntime >>" + said), "poststart": hook("echo poststart >>" + said),
			"poststop": hook("echo poststop >>" + said),
		}
	})
	s.run()
	s.counts(3)
	err := s.try("checkpoint", "--image-path", s.images, s.id)
	if err == nil || !strings.Contains(err.Error(), "dump.log") || !strings.Contains(err.Error(), "tcp-established") {
		t.Errorf("without --tcp-established: %v", err)
	}
	s.counts(s.count())
	s.awaitStatus(s.id, "running")
	s.checkpoint("--tcp-established")
	s.gone()

	good := filepath.Join(s.bundle, "config.json")
	config := read(t, good)
	edit(t, s.bundle, func(c map[string]any) {
		c["hooks"].(map[string]any)["createRuntime"] = hook("echo no; exit 5")
	})
	err = s.try("restore", "--detach", "-b", s.bundle, "--image-path", s.images, "--tcp-established", s.id)
	if err == nil || !strings.Contains(err.Error(), "error running createRuntime hook #0") {
		t.Errorf("with a hook that fails: %v", err)
	}
	s.gone()
	s.noGroup()
	must(t, os.WriteFile(good, []byte(config), 0o644))

	s.restore("--tcp-established")
	s.counts(s.count())
	o := s.do("exec", s.id, "sh", "-c", "cat /mnt/volume/file /proc/keys; cat /sys/fs/cgroup/cgroup.procs | wc -l; "+
		"touch /etc/new; touch /mnt/volume/part/new; ip link show lo | grep -c UP")
	if !strings.HasPrefix(o.stdout, "kept") || strings.Count(o.stderr, "Read-only") != 2 ||
		!strings.HasSuffix(o.stdout, "1\n") {
		t.Errorf("in the restored container: %+v", o)
	}
	s.ok("delete", "--force", s.id)
	if got, want := read(t, said), "createRuntime\npoststart\npoststop\npoststop\ncreateRuntime\npoststop\n"; got != want {
		t.Errorf("hooks ran: %q, want %q", got, want)
	}
}

// TestCheckpointTerminal saves a container with a terminal, and shows it on another one.
func TestCheckpointTerminal(t *testing.T) {
	s := newSaver(t, "", withTerminal)
	path := filepath.Join(testenv.Dir(t), "socket")
	l, err := net.Listen("unix", path)
	must(t, err)
	defer l.Close()
	got := make(chan *os.File, 1)
	go func() { got <- receive(t, l) }()
	must(t, s.try("run", "--detach", "--console-socket", path, "-b", s.bundle, s.id))
	master := <-got
	if master == nil {
		t.Fatal("no terminal arrived")
	}
	defer master.Close()
	screen := newLines(master)
	_, _ = io.WriteString(master, "word=remembered; echo ready; stty size\n")
	screen.want(t, "ready")
	s.checkpoint()
	s.gone()

	user, terminal := openPTY(t, 24, 80)
	pidFile := filepath.Join(testenv.Dir(t), "pid")
	cmd := s.command("restore", "-b", s.bundle, "--image-path", s.images, "--pid-file", pidFile, s.id)
	onTerminal(cmd, terminal)
	start(t, cmd)
	screen = newLines(user)
	s.awaitRestored(cmd, func() bool { _, err := os.Stat(pidFile); return err == nil })
	_, _ = io.WriteString(user, "echo $word\n")
	screen.want(t, "remembered")
	_, _ = io.WriteString(user, "exit 7\n")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("the restored shell ended with %v: %s", cmd.ProcessState, s.lastWords())
	}
	s.gone()
	s.noGroup()
}

// TestCheckpointUserNamespace saves a container with a user namespace of its own, whose output is a file of the host,
// and restores it in the foreground, with another file.
func TestCheckpointUserNamespace(t *testing.T) {
	const script = `trap 'exit 9' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done`
	s := newSaver(t, script, func(c map[string]any) { testenv.MapIDs(c, 100000, 65536) })
	into := func(cmd *exec.Cmd) string {
		f, err := os.OpenFile(filepath.Join(testenv.Dir(t), "output"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		must(t, err)
		t.Cleanup(func() { f.Close() })
		cmd.Stdout, cmd.Stderr = f, f
		return f.Name()
	}
	cmd := s.command("run", "--detach", "-b", s.bundle, s.id)
	before := into(cmd)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, s.lastWords())
	}
	eventually(t, "output", func() bool { return strings.Contains(read(t, before), "\n3\n") })
	s.checkpoint()
	s.gone()
	last := strings.Fields(read(t, before))
	n, err := strconv.Atoi(last[len(last)-1])
	must(t, err)

	cmd = s.command("restore", "-b", s.bundle, "--image-path", s.images, s.id)
	after := into(cmd)
	start(t, cmd)
	s.awaitRestored(cmd, func() bool { return read(t, after) != "" })
	must(t, cmd.Process.Signal(sigTERM))
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 9 {
		t.Errorf("the restored container ended with %v: %s", cmd.ProcessState, s.lastWords())
	}
	if first, _, _ := strings.Cut(read(t, after), "\n"); first != strconv.Itoa(n+1) {
		t.Errorf("after %d it went on with %q", n, first)
	}
	s.gone()
	s.noGroup()
}

// awaitRestored waits until a restore in the foreground has come to cond. CRIU takes its time, so the wait is long.
func (s *saver) awaitRestored(cmd *exec.Cmd, cond func() bool) {
	s.t.Helper()
	ended := fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)
	for end := time.Now().Add(6 * patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(read(s.t, ended), ") Z ") {
			s.t.Fatalf("%v has ended: %s", cmd.Args, s.lastWords())
		}
		if time.Now().After(end) {
			s.t.Fatalf("%v: the container does not go on", cmd.Args)
		}
	}
}

// TestCheckpointLazyPages moves a container without its memory, which follows over a socket page by page.
func TestCheckpointLazyPages(t *testing.T) {
	s := newSaver(t, countingUp, nil)
	s.run()
	s.counts(3)
	const port = "27277"
	ready, status, err := os.Pipe()
	must(t, err)
	defer ready.Close()
	saving := s.command("checkpoint", "--lazy-pages", "--page-server", "127.0.0.1:"+port, "--status-fd", "3",
		"--image-path", s.images, "--manage-cgroups-mode", "ignore", s.id)
	saving.ExtraFiles = []*os.File{status}
	start(t, saving)
	status.Close()
	if said, err := io.ReadAll(ready); err != nil || string(said) != "\x00" {
		t.Fatalf("on the status descriptor: %q, %v: %s", said, err, s.lastWords())
	}
	at := s.count()
	daemon := exec.Command("criu", "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", port,
		"-D", s.images, "-o", "lazy.log")
	start(t, daemon)
	socket := filepath.Join(s.images, "lazy-pages.socket")
	eventually(t, "the socket of criu lazy-pages", func() bool { _, err := os.Stat(socket); return err == nil })

	other := bundled(t, s.bundle)
	edit(t, s.bundle, func(c map[string]any) { linux(c)["cgroupsPath"] = testenv.CgroupParent() + "/" + other.id })
	other.images = s.images
	other.restore("--lazy-pages", "--manage-cgroups-mode", "ignore")
	other.counts(at)
	for _, cmd := range []*exec.Cmd{saving, daemon} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v: %s", cmd.Args, err, s.lastWords())
		}
	}
	s.gone()
	other.ok("delete", "--force", other.id)
}

// TestStreamNames: the state keeps what the standard streams were when the process was made, whatever the program does
// with them.
func TestStreamNames(t *testing.T) {
	s := bundled(t, shell(t, "exec </dev/zero >/dev/zero 2>/dev/zero; touch /tmp/changed; sleep inf", nil))
	in, out, err := os.Pipe()
	must(t, err)
	defer in.Close()
	defer out.Close()
	pipe, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", out.Fd()))
	must(t, err)
	cmd := s.command("run", "--detach", "-b", s.bundle, s.id)
	cmd.Stdout = out
	must(t, cmd.Run())
	eventually(t, "other streams", func() bool {
		_, err := os.Stat(filepath.Join(rootOf(t, s.bundle), "tmp", "changed"))
		return err == nil
	})
	var state struct{ Streams []string }
	must(t, json.Unmarshal([]byte(read(t, filepath.Join(s.root, s.id, "state.json"))), &state))
	if want := []string{"/dev/null", pipe, "/dev/null"}; !slices.Equal(state.Streams, want) {
		t.Errorf("streams %q, want %q", state.Streams, want)
	}
	s.ok("delete", "--force", s.id)
}

// TestCheckpointWithoutCRIU: without the program criu a container goes on, and a restore leaves nothing.
func TestCheckpointWithoutCRIU(t *testing.T) {
	s := bundled(t, shell(t, countingUp, nil))
	s.run()
	s.counts(3)
	t.Setenv("PATH", testenv.Dir(t))
	const words = "criu: executable file not found in $PATH"
	if err := s.try("checkpoint", "--image-path", s.images, s.id); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("checkpoint: %v", err)
	}
	s.counts(s.count())
	s.ok("delete", "--force", s.id)
	must(t, os.WriteFile(filepath.Join(s.images, "descriptors.json"), []byte("[]"), 0o600))
	err := s.try("restore", "--detach", "-b", s.bundle, "--image-path", s.images, s.id)
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("restore: %v", err)
	}
	s.gone()
	for path, args := range map[string][]string{
		"--image-path":   {"restore", "-b", s.bundle, "--image-path", "/nonexistent/images", s.id},
		"--status-fd":    {"checkpoint", "--status-fd", "77", s.id},
		"--parent-path":  {"checkpoint", "--parent-path", "/absolute", s.id},
		"does not exist": {"checkpoint", "--image-path", s.images, s.id},
	} {
		if err := s.try(args...); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
