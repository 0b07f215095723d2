package smallchild

// verifyCall checks that the buffers of a system call fit where they are. It knows the calls that programs make, by
// their names, which are the same on all architectures. What it does not know is a text, which ends with a zero byte,
// or a table.
func (p *Program) verifyCall(n int, i *Instr, e *extents) {
	a := func(k int) Arg { return i.args[k] } // missing arguments are zero
	length := func(k int) uint64 { return p.most(n, a(k)) }
	switch i.name {
	case "fstat":
		e.write(a(1), sizeofStat)
	case "stat":
		e.write(a(2), sizeofStat)
	case "statx":
		e.write(a(4), 256) // struct statx
	case "fstatat":
		e.write(a(2), sizeofStat)
	case "readlinkat":
		e.write(a(2), length(3))
	case "fstatfs":
		e.write(a(1), 120) // struct statfs
	case "read", "pread64":
		e.write(a(1), length(2))
	case "write":
		e.read(a(1), length(2))
	case "getcwd":
		e.write(a(0), length(1))
	case "keyctl KEYCTL_DESCRIBE":
		e.write(a(2), length(3))
	case "openat2":
		e.read(a(2), length(3))
	case "mount_setattr":
		e.read(a(3), length(4))
	case "sched_setaffinity":
		e.read(a(2), length(1))
	case "sethostname", "setdomainname":
		e.read(a(0), length(1))
	case "setgroups":
		e.read(a(1), 4*length(0))
	case "prlimit64":
		e.read(a(2), 16) // struct rlimit64
	case "capget", "capset":
		// struct __user_cap_header_struct, and two of struct __user_cap_data_struct
		e.read(a(0), 8)
		if i.name == "capget" {
			e.write(a(1), 24)
		} else {
			e.read(a(1), 24)
		}
	case "ioctl TCGETS":
		e.write(a(2), 36) // struct termios of the kernel
	case "ioctl TIOCGPTN":
		e.write(a(2), 4)
	case "ioctl TIOCSPTLCK":
		e.read(a(2), 4)
	case "ioctl TIOCSWINSZ":
		e.read(a(2), 8) // struct winsize
	case "ioctl SIOCSIFFLAGS":
		e.read(a(2), 40) // struct ifreq
	}
}

// sizeofStat is the size of struct stat on amd64. The one of arm64 is 128 bytes.
const sizeofStat = 144
