package nsinit

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// A hook gets the state on its standard input, runtime-spec config.md "POSIX-platform Hooks". A hook without an
// environment of its own gets that of the program. All of this is as in runc.

// hooksStep lets the parent run its hooks.
type hooksStep struct{}

func (hooksStep) stage() stage      { return stageHooks }
func (hooksStep) detail() string    { return "" }
func (hooksStep) do(c *child) error { return request(c, container.HooksRequest) }

// createHookStep runs one createContainer hook. The hook is found in the runtime's file system, because the root is
// still the old one. It starts in the container's root, so that a relative path in the hook changes nothing on the
// host.
type createHookStep struct{ hook *container.Hook }

func (createHookStep) stage() stage     { return stageHook }
func (s createHookStep) detail() string { return s.hook.Path }

func (s createHookStep) do(c *child) error {
	if err := unix.Fchdir(c.root.FD()); err != nil {
		return op("fchdir", c.cfg.Root.Path, err)
	}
	err := runHook(s.hook, hookEnv(s.hook, c.cfg.Process.Env), c.state("creating"), c.hookOutput())
	if e := unix.Chdir("/"); e != nil && err == nil {
		err = op("chdir", "/", e)
	}
	return hookFailed("createContainer", c.cfg.Hooks.CreateContainer, s.hook, err)
}

// startHookStep runs one startContainer hook. The hook is found in the container and starts in the working
// directory of the program.
type startHookStep struct{ hook *container.Hook }

func (startHookStep) stage() stage     { return stageStart }
func (s startHookStep) detail() string { return s.hook.Path }

func (s startHookStep) do(c *child) error {
	err := runHook(s.hook, hookEnv(s.hook, c.env), c.state("created"), c.hookOutput())
	return hookFailed("startContainer", c.cfg.Hooks.StartContainer, s.hook, err)
}

// hookFailed returns an error that says which hook of which kind failed, in the words of runc.
func hookFailed(kind string, all []container.Hook, h *container.Hook, err error) error {
	if err == nil {
		return nil
	}
	number := 0
	for number < len(all)-1 && &all[number] != h {
		number++
	}
	return fmt.Errorf("error running %s hook #%d: %w", kind, number, err)
}

// hookOutput returns the descriptors for the standard output and standard error of hooks; 0: none.
func (c *child) hookOutput() (fds [2]int) {
	for i, place := range [...]int{c.cfg.Hooks.StdoutFD, c.cfg.Hooks.StderrFD} {
		if place > 0 {
			fds[i] = c.fds[place-1]
		}
	}
	return fds
}

func hookEnv(h *container.Hook, inherited []string) []string {
	if len(h.Env) > 0 || h.NoEnv {
		return h.Env
	}
	return inherited
}

// state returns the state of the container, with the status and the pid, which only this process knows.
func (c *child) state(status string) []byte {
	rest := strings.TrimPrefix(strings.TrimSpace(c.cfg.State), "{")
	if rest == "" {
		rest = "}"
	}
	comma := ","
	if strings.HasPrefix(strings.TrimSpace(rest), "}") {
		comma = ""
	}
	return fmt.Appendf(nil, `{"status":%q,"pid":%d%s%s`, status, unix.Getpid(), comma, rest)
}

func runHook(h *container.Hook, env []string, state []byte, files [2]int) error {
	in, err := memoryFile("state", state)
	if err != nil {
		return err
	}
	defer sys.Close(in)
	// The output of a hook belongs in the error, if there is one, and not in the streams of the container or the
	// caller. It goes to memory and not to a pipe: a daemon that the hook leaves behind inherits the file, but can
	// neither block on it nor keep us waiting.
	out, err := memoryFile("output", nil)
	if err != nil {
		return err
	}
	defer sys.Close(out)
	for i, fd := range files {
		if fd == 0 {
			files[i] = out
		}
	}
	args := h.Args
	if len(args) == 0 {
		args = []string{h.Path}
	}
	old := unix.Umask(0o022)
	pidfd := -1
	pid, _, err := syscall.StartProcess(h.Path, args, &syscall.ProcAttr{
		Env: env, Files: []uintptr{uintptr(in), uintptr(files[0]), uintptr(files[1])},
		Sys: &syscall.SysProcAttr{PidFD: &pidfd},
	})
	unix.Umask(old)
	if err != nil {
		// A filter that kills the process for looking at a file ends this child here. The parent then reports that.
		return op("execute", h.Path, interpreter.Explain(err, h.Path))
	}
	defer sys.Close(pidfd)
	late := false
	if h.Timeout > 0 {
		late = !pollIn(pidfd, time.Duration(h.Timeout)*time.Second)
	}
	if late {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if late {
		return fmt.Errorf("%s: killed after its timeout of %d s: %w", h.Path, h.Timeout, unix.ETIMEDOUT)
	}
	return hookResult(h, status, err, out)
}

func hookResult(h *container.Hook, status syscall.WaitStatus, err error, out int) error {
	if err != nil {
		return op("wait4", h.Path, err)
	}
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	text := fmt.Sprintf("%s: exit status %d", h.Path, status.ExitStatus())
	if status.Signaled() {
		text = fmt.Sprintf("%s: ended by signal %d (%s)", h.Path, status.Signal(), status.Signal())
	}
	if said := tail(out); said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

// pollIn waits until fd is readable, or until the process of a pidfd has ended. It returns false on a timeout.
func pollIn(fd int, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		left := time.Until(end)
		if left < 0 {
			return false
		}
		ts := unix.NsecToTimespec(left.Nanoseconds())
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &ts, nil)
		if n > 0 || err != nil && err != unix.EINTR {
			return true
		}
	}
}

func memoryFile(name string, content []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, op("memfd_create", name, err)
	}
	for len(content) > 0 {
		n, err := unix.Write(fd, content)
		if err != nil {
			sys.Close(fd)
			return -1, op("write", name, err)
		}
		content = content[n:]
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		sys.Close(fd)
		return -1, op("lseek", name, err)
	}
	return fd, nil
}

// tail returns the end of a hook's output, as one line.
func tail(fd int) string {
	const most = 512
	size, err := unix.Seek(fd, 0, unix.SEEK_END)
	if err != nil {
		return ""
	}
	buf := make([]byte, most)
	n, _ := unix.Pread(fd, buf, max(0, size-most))
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(buf[:max(n, 0)]), "?")), " ")
}
