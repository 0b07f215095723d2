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

// A hook runs with the state on its standard input, runtime-spec config.md "POSIX-platform Hooks". Without an
// environment of its own it has the program's. All that is what runc does.

// hooksStep lets the parent run its hooks.
type hooksStep struct{}

func (hooksStep) stage() stage      { return stageHooks }
func (hooksStep) detail() string    { return "" }
func (hooksStep) do(c *child) error { return request(c, container.HooksRequest) }

// createHookStep runs one createContainer hook: found in the runtime's file system, for the root is still the old one,
// but begun in the container's root, so that a relative path of it changes nothing of the host.
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

// startHookStep runs one startContainer hook: found in the container, and begun where the program will.
type startHookStep struct{ hook *container.Hook }

func (startHookStep) stage() stage     { return stageStart }
func (s startHookStep) detail() string { return s.hook.Path }

func (s startHookStep) do(c *child) error {
	err := runHook(s.hook, hookEnv(s.hook, c.env), c.state("created"), c.hookOutput())
	return hookFailed("startContainer", c.cfg.Hooks.StartContainer, s.hook, err)
}

// hookFailed says which hook of which kind failed, in runc's words.
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

// hookOutput are the descriptors that hooks write to, standard output and error; 0: none.
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

// state is the container's state with what only this process knows.
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
	// What a hook says belongs to the error, if there is one, and not to the container's or the caller's streams. In
	// memory and not a pipe: whoever inherits it, a daemon that the hook leaves behind, can neither block nor be waited
	// for.
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
		// Under a filter that kills for looking at a file this is the end of the child, which the parent then tells.
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

// pollIn waits until fd can be read, or is a process that has ended; false is the timeout.
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

// tail is the end of what a hook wrote, as one line.
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
