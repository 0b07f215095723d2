package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/testenv"
)

// impostorVariable says how the test binary behaves when it is executed as criu.
const impostorVariable = "HANDFAST_TEST_IMPOSTOR"

// impostor is a role of the test binary: a CRIU that saves nothing, restores processes that only wait, and goes wrong.
func impostor() {
	how := os.Getenv(impostorVariable)
	if how == "" || len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case "restored":
		forever()
	case "swrk":
	default:
		return
	}
	for {
		r := hear()
		switch r.Type {
		case criu.Version:
			if how == "never says its version" {
				forever()
			}
			say(criu.Response{Type: criu.Version, Success: true, Version: &criu.VersionNumber{Major: 4}})
		case criu.Dump:
			save(how)
		case criu.Restore:
			bringBack(how)
		}
	}
}

func forever() {
	for {
		_ = unix.Pause()
	}
}

// hear returns the next request. Without one the process ends.
func hear() *criu.Request {
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(3, buf, 0)
	if n <= 0 || err != nil {
		os.Exit(0)
	}
	r, err := criu.DecodeRequest(buf[:n])
	if err != nil {
		os.Exit(2)
	}
	return r
}

func say(r criu.Response) { _ = unix.Sendmsg(3, r.Encode(), nil, nil, unix.MSG_NOSIGNAL) }

// tell sends a notification, and reports whether to go on.
func tell(script string, pid int) bool {
	say(criu.Response{Type: criu.Notify, Success: true,
		Notification: &criu.Notification{Script: script, PID: int32(pid)}})
	return hear().NotifySuccess
}

func save(how string) {
	switch how {
	case "dies meanwhile":
		tell("pre-dump", 0)
		os.Exit(3)
	case "waits for an interrupt":
		mark("saving")
		for { // until the other side knows of the interrupt
			if !tell("pre-dump", 0) {
				say(criu.Response{Type: criu.Dump})
				os.Exit(1)
			}
		}
	}
}

// bringBack makes a process for each restore, as a sibling.
func bringBack(how string) {
	if how == "names a stranger" {
		pid, _ := strconv.Atoi(os.Getenv("HANDFAST_TEST_STRANGER"))
		say(criu.Response{Type: criu.Restore, Success: tell("setup-namespaces", pid)})
		os.Exit(1)
	}
	p, err := os.StartProcess("/proc/self/exe", []string{"criu", "restored"}, &os.ProcAttr{Env: os.Environ(),
		Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_PARENT | unix.CLONE_NEWNET | unix.CLONE_NEWPID}})
	if err != nil {
		println(err.Error())
		os.Exit(2)
	}
	ok := tell("setup-namespaces", p.Pid)
	switch how {
	case "dies meanwhile":
		os.Exit(3)
	case "never responds":
		mark("restoring")
		forever()
	case "says it twice":
		ok = tell("setup-namespaces", p.Pid)
	case "omits post-restore":
	default:
		ok = ok && tell("post-restore", p.Pid)
	}
	say(criu.Response{Type: criu.Restore, Success: ok})
	os.Exit(0)
}

// mark tells the test how far this process is, by a file.
func mark(name string) {
	_ = os.WriteFile(filepath.Join(os.Getenv("HANDFAST_TEST_MARKS"), name), nil, 0o644)
}

// newImpostor makes a bundle for a CRIU that goes wrong in this way. marks is the directory of its marks.
func newImpostor(t *testing.T, how string) (s *saver, marks string) {
	t.Helper()
	s = bundled(t, shell(t, countingUp, nil))
	self, err := os.Executable()
	must(t, err)
	dir := testenv.Dir(t)
	must(t, os.Symlink(self, filepath.Join(dir, "criu")))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv(impostorVariable, how)
	t.Setenv("HANDFAST_TEST_MARKS", dir)
	return s, dir
}

// interrupted runs a command, sends it SIGINT when a file is there, and returns its error. With everyone the signal
// goes to all of its process group, as from a terminal.
func (s *saver) interrupted(file string, everyone bool, args ...string) error {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(s.t, cmd.Start())
	eventually(s.t, filepath.Base(file), func() bool { _, err := os.Stat(file); return err == nil })
	pid := cmd.Process.Pid
	if everyone {
		pid = -pid
	}
	must(s.t, unix.Kill(pid, unix.SIGINT))
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, s.lastWords())
	}
	return nil
}

// TestCheckpointInterrupted: an interrupt, also one that a terminal sends to everybody, ends a checkpoint in one of two
// ways: the container goes on as if nothing had been, or everything is saved.
func TestCheckpointInterrupted(t *testing.T) {
	s := newSaver(t, countingUp, nil)
	s.run()
	s.counts(3)
	err := s.interrupted(filepath.Join(s.images, "dump.log"), true, "checkpoint", "--image-path", s.images, s.id)
	t.Logf("the checkpoint: %v", err)
	if err == nil {
		s.gone()
		s.restore()
	} else if !strings.Contains(err.Error(), "ended by signal: interrupt") {
		t.Error(err)
	}
	s.awaitStatus(s.id, "running")
	s.counts(s.count())
	s.ok("delete", "--force", s.id)
	s.noGroup()
}

// TestCheckpointBrokenCRIU: whatever CRIU does, the container goes on after a checkpoint that has failed.
func TestCheckpointBrokenCRIU(t *testing.T) {
	for how, want := range map[string]string{
		"dies meanwhile":         "criu ended without a response: exit status 3 (there is no log ",
		"waits for an interrupt": "ended by signal: interrupt",
	} {
		t.Run(how, func(t *testing.T) {
			s, marks := newImpostor(t, how)
			s.run()
			var err error
			args := []string{"checkpoint", "--image-path", s.images, s.id}
			if how == "waits for an interrupt" {
				err = s.interrupted(filepath.Join(marks, "saving"), true, args...)
			} else {
				err = s.try(args...)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			s.awaitStatus(s.id, "running")
			s.counts(s.count())
			s.ok("delete", "--force", s.id)
		})
	}
}

// TestRestoreBrokenCRIU: whatever CRIU does, and whatever is in the images, a restore that fails leaves nothing. That
// nothing is mounted and no process is left, testenv.Main checks.
func TestRestoreBrokenCRIU(t *testing.T) {
	stranger := exec.Command("sleep", "inf")
	start(t, stranger)
	t.Setenv("HANDFAST_TEST_STRANGER", strconv.Itoa(stranger.Process.Pid))
	for how, want := range map[string]string{
		"dies meanwhile":     "criu ended without a response: exit status 3 (there is no log ",
		"names a stranger":   "is no child of this one: waitid: no child processes",
		"says it twice":      "malformed message of CRIU: setup-namespaces twice",
		"omits post-restore": "a restore without the notification post-restore",
		"never responds":     "ended by signal: interrupt",
		"four streams":       "descriptors.json: 4 names; want those of the 3 standard streams at most",
	} {
		t.Run(how, func(t *testing.T) {
			s, marks := newImpostor(t, how)
			must(t, os.Mkdir(s.images, 0o700))
			streams := `[]`
			if how == "four streams" {
				streams = `["","","","pipe:[1]"]`
			}
			must(t, os.WriteFile(filepath.Join(s.images, "descriptors.json"), []byte(streams), 0o600))
			var err error
			args := []string{"restore", "--detach", "-b", s.bundle, "--image-path", s.images, s.id}
			if how == "never responds" {
				err = s.interrupted(filepath.Join(marks, "restoring"), false, args...)
			} else {
				err = s.try(args...)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			s.gone()
			s.noGroup()
			if stat := read(t, fmt.Sprintf("/proc/%d/stat", stranger.Process.Pid)); strings.Contains(stat, ") Z ") {
				t.Error("the stranger was ended")
			}
		})
	}
}

// TestRestoreOfImpostor: without a fault the same CRIU gives a container that other commands find.
func TestRestoreOfImpostor(t *testing.T) {
	s, _ := newImpostor(t, "is well")
	must(t, os.Mkdir(s.images, 0o700))
	must(t, os.WriteFile(filepath.Join(s.images, "descriptors.json"), []byte(`[]`), 0o600))
	s.restore()
	s.ok("delete", "--force", s.id)
	s.noGroup()
}
