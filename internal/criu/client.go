package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// FirstExtra is the number that the first of StartOptions.Extra has in CRIU: 3 is its end of the socket.
const FirstExtra = 4

// largest is the size in bytes of the largest message that is received; those of rpc.proto are far below.
const largest = 64 << 10

// ErrOld says that CRIU is too old.
var ErrOld = errors.New("this version of CRIU is too old")

// ErrEnded says that CRIU has ended, or has closed its socket, before it responded.
var ErrEnded = errors.New("criu ended without a response")

// MinMajor and MinMinor are the oldest version that is used: it knows every option here, as far as it is documented
// with another version.
const MinMajor, MinMinor = 3, 16

// Client is a running CRIU. One goroutine uses it.
type Client struct {
	process *os.Process
	fd      int // our end of the socket; -1: closed
	ended   bool
}

// StartOptions say how CRIU is started.
type StartOptions struct {
	Files [3]*os.File // standard streams, which a restored process may inherit; nil: /dev/null. They stay the caller's
	Extra []*os.File  // further descriptors, from FirstExtra on; they stay the caller's
	// Apart keeps the signals of a terminal from CRIU, by a process group of its own: the caller is the one to give up.
	Apart bool
}

// Start starts the program criu, which is looked for in $PATH. It runs in the namespaces of the calling thread. The
// error wraps exec.ErrNotFound if there is none. The caller closes the Client.
func Start(o StartOptions) (*Client, error) {
	path, err := exec.LookPath("criu")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("criu: %w (CRIU saves and restores processes; Debian has it in the package criu)",
			exec.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("criu: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "criu")
	defer theirs.Close()
	files := []*os.File{null, null, null, theirs}
	for i, f := range o.Files {
		if f != nil {
			files[i] = f
		}
	}
	process, err := os.StartProcess(path, []string{"criu", "swrk", "3"},
		&os.ProcAttr{Files: append(files, o.Extra...), Sys: &syscall.SysProcAttr{Setpgid: o.Apart}})
	if err != nil {
		_ = unix.Close(pair[0])
		return nil, fmt.Errorf("criu: %w", err)
	}
	return &Client{process: process, fd: pair[0]}, nil
}

// PID returns the process id of CRIU.
func (c *Client) PID() int { return c.process.Pid }

// Failed is the error of a request that CRIU could not carry out.
type Failed struct {
	Type    Type
	Errno   unix.Errno // 0: not known
	Message string     // the first error in CRIU's log; empty: not known
}

// Error says what failed.
func (f *Failed) Error() string {
	text := "criu failed: " + f.Type.String()
	if f.Errno != 0 {
		text += ": " + f.Errno.Error()
	}
	if f.Message != "" {
		text += ": " + strings.TrimSpace(f.Message)
	}
	return text
}

// Unwrap returns the errno, if it is known.
func (f *Failed) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

// Check asks for CRIU's version, and whether it has these features on this kernel. The error wraps ErrOld, or names
// the feature. After an error, and when ctx ends, CRIU is killed: it has done nothing yet that this would leave half
// done.
func (c *Client) Check(ctx context.Context, want Features) (VersionNumber, error) {
	stop := context.AfterFunc(ctx, c.Kill)
	defer stop()
	v, err := c.check(ctx, want)
	if err != nil {
		c.Kill()
	}
	return v, err
}

func (c *Client) check(ctx context.Context, want Features) (VersionNumber, error) {
	resp, err := c.Do(ctx, &Request{Type: Version, KeepOpen: true}, nil)
	if err == nil && resp.Version == nil {
		err = fmt.Errorf("%w: a response without a version", ErrMessage)
	}
	if err != nil {
		return VersionNumber{}, err
	}
	v := *resp.Version
	if v.Older(MinMajor, MinMinor) {
		return v, fmt.Errorf("%w: it is %s; want %d.%d or later", ErrOld, v, MinMajor, MinMinor)
	}
	if want == (Features{}) {
		return v, nil
	}
	if resp, err = c.Do(ctx, &Request{Type: FeatureCheck, KeepOpen: true, Features: &want}, nil); err != nil {
		return v, err
	}
	var have Features
	if resp.Features != nil {
		have = *resp.Features
	}
	return v, missing(v, want, have)
}

// missing returns the error for the first feature that is wanted and not there.
func missing(v VersionNumber, want, have Features) error {
	for _, f := range []struct {
		name       string
		want, have bool
	}{
		{"mem_dirty_track (CONFIG_MEM_SOFT_DIRTY)", want.MemTrack, have.MemTrack},
		{"lazy_pages (userfaultfd(2))", want.LazyPages, have.LazyPages},
	} {
		if f.want && !f.have {
			return fmt.Errorf("criu %s lacks the feature %s on this kernel: %w", v, f.name, unix.EOPNOTSUPP)
		}
	}
	return nil
}

// Do sends a request and returns the response. Meanwhile it calls notify for each notification, and passes the
// descriptor that came with it, if any, which notify owns; CRIU waits for notify to return. After an error of notify
// CRIU gives up, and Do returns that error. If ctx ends, CRIU gives up at the next notification, and Do returns the
// cause. If none follows, the response counts: what CRIU has done by then cannot be undone. A caller that cannot wait
// for either calls Kill.
func (c *Client) Do(ctx context.Context, r *Request, notify func(*Notification, *os.File) error) (*Response, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.send(r); err != nil {
		return nil, cause(ctx, err)
	}
	var refused error
	for {
		resp, file, err := c.receive()
		if err != nil {
			return nil, cause(ctx, errors.Join(refused, err))
		}
		if resp.Type != Notify {
			closeFile(file)
			return resp, result(r, resp, refused)
		}
		if refused == nil && ctx.Err() != nil {
			refused = context.Cause(ctx)
		}
		if refused == nil {
			refused = tell(resp, file, notify)
		} else {
			closeFile(file)
		}
		if err := c.send(&Request{Type: Notify, NotifySuccess: refused == nil}); err != nil {
			return nil, cause(ctx, errors.Join(refused, err))
		}
	}
}

// tell passes on a notification.
func tell(resp *Response, file *os.File, notify func(*Notification, *os.File) error) error {
	if resp.Notification != nil && notify != nil {
		return notify(resp.Notification, file)
	}
	closeFile(file)
	return nil
}

// closeFile closes a descriptor that came with a message, if there is one.
func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}

// result returns the error that a response means. refused is why this side told CRIU to give up.
func result(r *Request, resp *Response, refused error) error {
	switch {
	case refused != nil:
		return refused
	case !resp.Success:
		failed := &Failed{Type: r.Type, Message: resp.Message}
		if resp.Errno > 0 && resp.Errno <= maxErrno {
			failed.Errno = unix.Errno(resp.Errno)
		}
		return failed
	case resp.Type != r.Type:
		return fmt.Errorf("%w: a response of type %v to a request of type %v", ErrMessage, resp.Type, r.Type)
	}
	return nil
}

// maxErrno is the largest errno that the kernel has, MAX_ERRNO in include/linux/err.h.
const maxErrno = 4095

// cause returns why the exchange ended: ctx, or err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (c *Client) send(r *Request) error {
	for {
		_, err := unix.SendmsgN(c.fd, r.Encode(), nil, nil, unix.MSG_NOSIGNAL)
		switch err {
		case unix.EINTR:
		case unix.EPIPE, unix.ECONNRESET:
			return c.gone()
		default:
			return os.NewSyscallError("sendmsg to criu", err)
		}
	}
}

// await waits for a message, or for the end of CRIU. That is not always the end of file: processes that CRIU has made
// may have the socket too.
func (c *Client) await() error {
	var err error
	set := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Events: unix.POLLIN}}
	if e := c.process.WithHandle(func(pidfd uintptr) {
		set[1].Fd = int32(pidfd)
		for {
			if _, err = unix.Poll(set, -1); err != unix.EINTR {
				break
			}
		}
		if err == nil && set[0].Revents == 0 {
			// poll(2) looks at one after the other: CRIU may have spoken and ended in between.
			_, err = unix.Poll(set[:1], 0)
		}
	}); e != nil {
		return e
	}
	if err != nil {
		return os.NewSyscallError("poll", err)
	}
	if set[0].Revents == 0 {
		return c.gone()
	}
	return nil
}

// receive returns the next message, and the descriptor that came with it; nil: none. The caller owns it.
func (c *Client) receive() (*Response, *os.File, error) {
	if err := c.await(); err != nil {
		return nil, nil, err
	}
	buf, oob := make([]byte, largest), make([]byte, unix.CmsgSpace(4))
	n, oobn, flags, _, err := unix.Recvmsg(c.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, flags, _, err = unix.Recvmsg(c.fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	switch {
	case err == unix.ECONNRESET, err == nil && n == 0:
		return nil, nil, c.gone()
	case err != nil:
		return nil, nil, os.NewSyscallError("recvmsg from criu", err)
	}
	file, err := received(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = fmt.Errorf("%w: more than %d bytes or one descriptor", ErrMessage, largest)
	}
	var resp *Response
	if err == nil {
		resp, err = DecodeResponse(buf[:n])
	}
	if err != nil {
		closeFile(file)
		file = nil
	}
	return resp, file, err
}

// received returns the descriptor in the control messages; nil: none. There may be more than one, because the kernel
// aligns the room for control messages: then all of them are closed.
func received(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg from criu", err)
	}
	var fds []int
	for i := range all {
		if some, err := unix.ParseUnixRights(&all[i]); err == nil {
			fds = append(fds, some...)
		}
	}
	switch len(fds) {
	case 0:
		return nil, nil
	case 1:
		return os.NewFile(uintptr(fds[0]), "from criu"), nil
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return nil, fmt.Errorf("%w: %d descriptors; want one at most", ErrMessage, len(fds))
}

// gone is the error of a CRIU that ended before it responded. It closes the socket, so that a CRIU that has only
// stopped to speak learns that it is alone, and waits for its end.
func (c *Client) gone() error {
	c.closeSocket()
	state, err := c.process.Wait()
	c.ended = true
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return fmt.Errorf("%w: %s", ErrEnded, state)
}

func (c *Client) closeSocket() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
		c.fd = -1
	}
}

// Close closes the socket and waits for CRIU to end. CRIU ends by itself after a response to a request that was not
// KeepOpen, and when the socket is closed between two requests.
func (c *Client) Close() error {
	c.closeSocket()
	if c.ended {
		return nil
	}
	c.ended = true
	_, err := c.process.Wait()
	return err
}

// Kill ends CRIU at once, for a restore that is given up; Close is still due. A dump must not be ended in this way,
// because CRIU would leave its code in the processes. Another goroutine than that of the Client may call it.
func (c *Client) Kill() { _ = c.process.Kill() }
