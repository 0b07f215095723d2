//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// This file compiles the steps that prepare the process for the program.

func (sessionStep) compile(c *compiler) error {
	num := smallchild.Int[int]
	c.Call("prctl PR_SET_DUMPABLE", unix.SYS_PRCTL, num(unix.PR_SET_DUMPABLE), num(0))
	c.Call("prctl PR_SET_NAME", unix.SYS_PRCTL, num(unix.PR_SET_NAME), c.Str("handfast:init"))
	c.keyring()
	all := c.Bytes([]byte(strings.Repeat("\xff", 1024)), "every processor")
	c.Call("sched_setaffinity", unix.SYS_SCHED_SETAFFINITY, num(0), num(1024), all).Ignore()
	c.Call("umask", unix.SYS_UMASK, num(0))
	leads := c.Label()
	c.Call("setsid", unix.SYS_SETSID).On(leads, unix.EPERM)
	c.Place(leads)
	return nil
}

func (s streamsStep) compile(c *compiler) error {
	for fd, place := range s.places {
		if place > 0 {
			c.Call("dup3", unix.SYS_DUP3, smallchild.Val(smallchild.Config(place)), smallchild.Int(fd), smallchild.Int(0))
		}
	}
	return nil
}

func (rootStep) compile(c *compiler) error {
	flags := smallchild.Int(unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC)
	c.Call("openat", unix.SYS_OPENAT, smallchild.Int(unix.AT_FDCWD), c.Str("/"), flags, smallchild.Int(0)).Into(c.root)
	return nil
}

// keyring compiles the function keyring of a whole child for the case that the new keyring has either the
// permissions that the kernel gives to a new one, or those that it is supposed to get.
func (c *compiler) keyring() {
	name := c.cfg.Process.Keyring
	if name == "" {
		return
	}
	// KEY_POS_ALL, and of KEY_USR_* view, read and link, from join_session_keyring in the kernel; the second value
	// adds search.
	const fresh, searched = 0x3f130000, 0x3f1b0000
	m := c.Mark()
	defer c.Release(m)
	id, text, fix, done := c.Reg(), c.Scratch(unix.PathMax), c.Label(), c.Label()
	c.Call("keyctl KEYCTL_JOIN_SESSION_KEYRING", unix.SYS_KEYCTL, smallchild.Int(unix.KEYCTL_JOIN_SESSION_KEYRING),
		c.Str(name)).Into(id).On(done, unix.ENOSYS, unix.EPERM)
	c.Call("keyctl KEYCTL_DESCRIBE", unix.SYS_KEYCTL, smallchild.Int(unix.KEYCTL_DESCRIBE), smallchild.Val(id),
		text.At(0), smallchild.Int(unix.PathMax))
	c.ifText(text, fmt.Sprintf("keyring;0;0;%x;", fresh), fix)
	c.ifText(text, fmt.Sprintf("keyring;0;0;%x;", searched), done)
	c.GiveUp()
	c.Place(fix)
	c.Call("keyctl KEYCTL_SETPERM", unix.SYS_KEYCTL, smallchild.Int(unix.KEYCTL_SETPERM), smallchild.Val(id),
		smallchild.Int(searched))
	c.Place(done)
}

// ifText jumps if memory begins with a text.
func (c *compiler) ifText(at smallchild.Memory, text string, to smallchild.Label) {
	no := c.Label()
	for i := 0; i < len(text); i += 8 {
		var word, mask uint64
		for j := i; j < min(i+8, len(text)); j++ {
			word |= uint64(text[j]) << (8 * (j - i))
			mask |= 0xff << (8 * (j - i))
		}
		if i+8 >= len(text) {
			c.IfMem(at.At(i), mask, word, to)
			break
		}
		same := c.Label()
		c.IfMem(at.At(i), mask, word, same)
		c.Jump(no)
		c.Place(same)
	}
	c.Place(no)
}

func (s namespaceStep) compile(c *compiler) error {
	if s.namespace.How != container.NSUnshare {
		return ErrWhole
	}
	c.Call("unshare", unix.SYS_UNSHARE, smallchild.Int(unix.CLONE_NEWCGROUP))
	return nil
}

func (s hostnameStep) compile(c *compiler) error {
	c.Call("sethostname", unix.SYS_SETHOSTNAME, c.Str(s.name), smallchild.Int(len(s.name)))
	return nil
}

func (s domainnameStep) compile(c *compiler) error {
	c.Call("setdomainname", unix.SYS_SETDOMAINNAME, c.Str(s.name), smallchild.Int(len(s.name)))
	return nil
}

func (loopbackStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	socket := c.Reg()
	// struct ifreq, netdevice(7): a name of 16 bytes, then flags of 16 bits.
	request := append([]byte("lo"), make([]byte, 38)...)
	request[16] = unix.IFF_UP
	c.Call("socket", unix.SYS_SOCKET, smallchild.Int(unix.AF_INET), smallchild.Int(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC),
		smallchild.Int(0)).Into(socket)
	c.Call("ioctl SIOCSIFFLAGS", unix.SYS_IOCTL, smallchild.Val(socket), smallchild.Int(unix.SIOCSIFFLAGS),
		c.Bytes(request, "lo up"))
	return nil
}

func (s sysctlStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	proc, fd := c.Reg(), c.Reg()
	c.newFS("proc", "", nil, nil, 0, nil, proc, never)
	const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
	c.Call("openat2", unix.SYS_OPENAT2, smallchild.Val(proc), c.Str("sys/"+sysctlPath(s.key)),
		c.how(unix.O_WRONLY, beneath), smallchild.Int(unix.SizeofOpenHow)).Into(fd)
	c.Call("write", unix.SYS_WRITE, smallchild.Val(fd), c.Str(s.value), smallchild.Int(len(s.value)))
	return nil
}

func (stdioStep) compile(c *compiler) error {
	m := c.Mark()
	defer c.Release(m)
	for fd := range 3 {
		null, done, give, stream := c.Label(), c.Label(), c.Label(), streamName(fd)
		c.fstat(smallchild.Int(fd))
		c.says("fstat", stream)
		c.ifNull(null)
		c.IfMem(c.stat.At(statUID), 1<<32-1, uint64(c.cfg.Process.UID), done)
		c.ifKind(unix.S_IFBLK, done)
		device := c.Label()
		c.ifKind(unix.S_IFCHR, device)
		c.Jump(give)
		c.Place(device)
		c.Call("ioctl TCGETS", unix.SYS_IOCTL, smallchild.Int(fd), smallchild.Int(unix.TCGETS), c.path.At(0)).On(done)
		c.Place(give)
		c.Call("fchown", unix.SYS_FCHOWN, smallchild.Int(fd), smallchild.Int(c.cfg.Process.UID), smallchild.Int(-1)).
			On(done, unix.EPERM, unix.EROFS, unix.EINVAL, unix.EACCES)
		c.says("fchown", stream)
		c.Jump(done)
		c.Place(null)
		own := c.Reg()
		c.open("/dev/null", unix.O_RDWR|unix.O_NOCTTY|unix.O_NOFOLLOW, inRoot).Into(own).On(done)
		trusted, other := c.Label(), c.Label()
		c.fstat(smallchild.Val(own)).On(other)
		c.ifNull(trusted)
		c.Jump(other)
		c.Place(trusted)
		c.Call("dup3", unix.SYS_DUP3, smallchild.Val(own), smallchild.Int(fd), smallchild.Int(0))
		c.says("dup3", "/dev/null")
		c.Place(other)
		c.Place(done)
	}
	return nil
}

func (environmentStep) compile(c *compiler) error {
	const most = 1 << 20
	env, home := cleanEnv(c.cfg.Process.Env)
	c.env = env
	if home {
		return nil
	}
	m := c.Mark()
	defer c.Release(m)
	c.noHome, c.home = true, c.Scratch(unix.PathMax+8)
	passwd, fd, size, none, done := c.Scratch(most), c.Reg(), c.Reg(), c.Label(), c.Label()
	c.setText(c.home, "HOME=/")
	c.open("/etc/passwd", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, inRoot).Into(fd).On(done)
	c.fstat(smallchild.Val(fd)).On(none)
	file := c.Label()
	c.ifKind(unix.S_IFREG, file)
	c.Jump(none)
	c.Place(file)
	c.Call("pread64", unix.SYS_PREAD64, smallchild.Val(fd), passwd.At(0), smallchild.Int(most), smallchild.Int(0)).
		Into(size).On(none)
	c.Home(passwd.At(0), size, strconv.Itoa(int(c.cfg.Process.UID)), c.home.At(len("HOME=")))
	c.Place(none)
	c.Place(done)
	return nil
}

// setText writes a short text and a zero byte after it.
func (c *compiler) setText(to smallchild.Memory, text string) {
	padded := append([]byte(text), make([]byte, 8-len(text)%4)...)
	from := c.Bytes(padded, "text")
	for i := 0; i <= len(text); i += 4 {
		c.Or(to.At(i), from.At(i), from.At(i))
	}
}

func (s rlimitStep) compile(c *compiler) error {
	limit := c.Bytes(smallchild.Words(s.limit.Soft, s.limit.Hard), "rlimit")
	c.Call("prlimit64", unix.SYS_PRLIMIT64, smallchild.Int(0), smallchild.Int(s.limit.Resource), limit, smallchild.Int(0))
	c.blame(func(e unix.Errno) error { return limitError(s.limit, e) })
	return nil
}

// release closes all at once what the setup has opened, as release of a whole child does. What stays open is the
// socket and the gate. The gate is the first descriptor that comes with CONFIG, so it has the number after the
// socket's already.
func (c *compiler) release() {
	next := 3 + c.cfg.KeepFDs + 1
	if c.cfg.GateFD > 0 {
		there := c.Label()
		c.Call("dup3", unix.SYS_DUP3, smallchild.Val(smallchild.Config(c.cfg.GateFD)), smallchild.Int(next),
			smallchild.Int(unix.O_CLOEXEC)).On(there, unix.EINVAL)
		c.Place(there)
		next++
	}
	c.Call("close_range", unix.SYS_CLOSE_RANGE, smallchild.Int(next), smallchild.Int(uint32(1<<32-1)), smallchild.Int(0))
}

func (s userStep) compile(c *compiler) error {
	p := &c.cfg.Process
	num := smallchild.Int[int]
	c.release()
	late, entered := c.Label(), c.Label()
	isLate := c.Scratch(8)
	c.Call("chdir", unix.SYS_CHDIR, c.Str(s.cwd)).On(late)
	c.Jump(entered)
	c.Place(late)
	c.setFlag(isLate)
	c.Place(entered)
	dropped := c.Label()
	for n := range 63 {
		if p.Capabilities.Bounding&(1<<n) == 0 {
			c.Call("prctl PR_CAPBSET_DROP", unix.SYS_PRCTL, num(unix.PR_CAPBSET_DROP), num(n)).On(dropped, unix.EINVAL)
			c.says("prctl PR_CAPBSET_DROP", strconv.Itoa(n))
		}
	}
	c.Place(dropped)
	c.Call("prctl PR_SET_KEEPCAPS", unix.SYS_PRCTL, num(unix.PR_SET_KEEPCAPS), num(1))
	if !p.KeepGroups && !c.cfg.SetGroupsDenied {
		groups := c.Bytes(gidBytes(p.AdditionalGIDs), "groups")
		c.Call("setgroups", unix.SYS_SETGROUPS, num(len(p.AdditionalGIDs)), groups)
		c.blame(func(e unix.Errno) error { return op("setgroups", fmt.Sprint(p.AdditionalGIDs), e) })
	}
	gid, uid := smallchild.Int(p.GID), smallchild.Int(p.UID)
	c.Call("setresgid", unix.SYS_SETRESGID, gid, gid, gid)
	c.blame(func(e unix.Errno) error { return op("setresgid", fmt.Sprint(p.GID), e) })
	c.Call("setresuid", unix.SYS_SETRESUID, uid, uid, uid)
	c.blame(func(e unix.Errno) error { return op("setresuid", fmt.Sprint(p.UID), e) })
	there := c.Label()
	c.IfMem(isLate.At(0), 1, 0, there)
	c.Call("chdir", unix.SYS_CHDIR, c.Str(s.cwd))
	c.blame(func(e unix.Errno) error { return op("chdir", s.cwd, e) })
	c.Place(there)
	c.Call("getcwd", unix.SYS_GETCWD, c.path.At(0), num(unix.PathMax))
	c.blame(func(e unix.Errno) error { return op("getcwd", s.cwd, e) })
	inside := c.Label()
	c.IfMem(c.path.At(0), 0xff, '/', inside)
	c.GiveUp()
	c.blame(func(unix.Errno) error { return outsideError(s.cwd) })
	c.Place(inside)
	c.capabilities(p)
	c.Call("prctl PR_SET_KEEPCAPS", unix.SYS_PRCTL, num(unix.PR_SET_KEEPCAPS), num(0))
	if p.NoNewPrivs {
		c.Call("prctl PR_SET_NO_NEW_PRIVS", unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1))
	}
	umask := defaultUmask
	if p.Umask != nil {
		umask = int(*p.Umask)
	}
	c.Call("umask", unix.SYS_UMASK, num(umask))
	return nil
}

// gidBytes returns a list of group IDs in the kernel's format. It is never empty.
func gidBytes(gids []uint32) []byte {
	var b []byte
	for _, g := range gids {
		b = append(b, byte(g), byte(g>>8), byte(g>>16), byte(g>>24))
	}
	return append(b, 0, 0, 0, 0)
}

// capabilities compiles setCapabilities: it calls capset(2) with the requested capabilities that the thread has,
// then sets the ambient set. The kernel has two structs, each with 32 bits of the effective, the permitted and the
// inheritable set.
func (c *compiler) capabilities(p *container.Process) {
	num := smallchild.Int[int]
	want := &p.Capabilities
	keep := uint64(0)
	if p.Seccomp != nil && !p.NoNewPrivs {
		keep = 1 << unix.CAP_SYS_ADMIN
	}
	have, set, held := c.Scratch(24), c.Scratch(24), c.Scratch(8)
	head := c.capHead()
	c.Call("capget", unix.SYS_CAPGET, head, have.At(0))
	for half := range 2 {
		at, shift := 12*half, 32*half
		word := func(v uint64) smallchild.Arg { return c.capWord(v >> shift) }
		effective, permitted, inheritable := set.At(at), set.At(at+4), set.At(at+8)
		// Permitted: what is requested and held. Effective: what is requested among these. The kept capabilities
		// are added later.
		c.And(permitted, have.At(at+4), word(want.Permitted))
		c.And(effective, permitted, word(want.Effective))
		c.inheritable(want.Inheritable, half, have, inheritable)
		c.Or(held.At(4*half), permitted, permitted)
		if uint32(keep>>shift) != 0 {
			kept := c.Scratch(8)
			c.And(kept.At(0), have.At(at+4), word(keep))
			c.Or(permitted, permitted, kept.At(0))
		}
	}
	c.Call("capset", unix.SYS_CAPSET, head, set.At(0))
	c.Call("prctl PR_CAP_AMBIENT_CLEAR_ALL", unix.SYS_PRCTL, num(unix.PR_CAP_AMBIENT), num(unix.PR_CAP_AMBIENT_CLEAR_ALL),
		num(0), num(0), num(0))
	for n := range 63 {
		if want.Ambient&(1<<n) == 0 {
			continue
		}
		not := c.Label()
		c.IfMem(held.At(0), 1<<n, 0, not)
		c.IfMem(set.At(12*(n/32)+4), 1<<(32+n%32), 0, not) // a test looks at 64 bits: permitted, then inheritable
		c.Call("prctl PR_CAP_AMBIENT_RAISE", unix.SYS_PRCTL, num(unix.PR_CAP_AMBIENT), num(unix.PR_CAP_AMBIENT_RAISE), num(n),
			num(0), num(0))
		c.says("prctl PR_CAP_AMBIENT_RAISE", strconv.Itoa(n))
		c.Place(not)
	}
}

// inheritable computes the requested capabilities that are inheritable already, or are both permitted and in the
// bounding set.
func (c *compiler) inheritable(want uint64, half int, have smallchild.Memory, to smallchild.Arg) {
	m := c.Mark()
	defer c.Release(m)
	wanted := uint64(uint32(want >> (32 * half)))
	c.And(to, have.At(12*half+8), c.capWord(wanted))
	set := c.Reg()
	for n := range 32 {
		if wanted&(1<<n) == 0 {
			continue
		}
		not := c.Label()
		c.IfMem(have.At(12*half+4), 1<<n, 0, not)
		c.Call("prctl PR_CAPBSET_READ", unix.SYS_PRCTL, smallchild.Int(unix.PR_CAPBSET_READ),
			smallchild.Int(32*half+n)).Into(set).On(not)
		c.IfReg(set, 0, not)
		c.Or(to, to, c.capWord(1<<n))
		c.Place(not)
	}
}

func (c *compiler) capHead() smallchild.Arg {
	return c.Bytes(smallchild.Words(unix.LINUX_CAPABILITY_VERSION_3), "capabilities of version 3, of this thread")
}

func (c *compiler) capWord(v uint64) smallchild.Arg {
	return c.Bytes(smallchild.Words(uint64(uint32(v))), "number")
}

func (s filesStep) compile(c *compiler) error {
	i := c.Call("close_range", unix.SYS_CLOSE_RANGE, smallchild.Int(s.first), smallchild.Int(uint32(1<<32-1)),
		smallchild.Int(unix.CLOSE_RANGE_CLOEXEC))
	c.reported(i, stageFiles, func(e unix.Errno) error { return op("close_range", "", e) })
	return nil
}

// filterPointer returns a struct sock_fprog.
func (c *compiler) filterPointer(f *container.Seccomp) smallchild.Arg {
	n := len(f.Filter) / int(unsafe.Sizeof(unix.SockFilter{}))
	return c.Table("sock_fprog", smallchild.Int(n), c.Bytes(f.Filter, "filter"))
}
