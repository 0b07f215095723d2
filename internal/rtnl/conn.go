package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Conn is an rtnetlink(7) socket. It acts in the network namespace of the thread that opened it, whatever thread uses
// it. It must not be used by several goroutines at once.
type Conn struct {
	fd  int
	seq uint32
}

// Open opens a socket in the calling thread's network namespace. The caller closes it.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket AF_NETLINK", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind AF_NETLINK", err)
	}
	// The kernel replies at once; the timeout is for a kernel that does not.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30})
	// Linux 4.12 and later add a text to the errno.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	return &Conn{fd: fd}, nil
}

// Close closes the socket.
func (c *Conn) Close() { _ = unix.Close(c.fd) }

// Link finds a device by its name; the error wraps ENODEV if there is none.
func (c *Conn) Link(name string) (Link, error) {
	body := appendAttribute(linkBody(0, 0, 0), unix.IFLA_IFNAME, append([]byte(name), 0))
	var found Link
	err := c.do(unix.RTM_GETLINK, 0, body, func(m *message) (err error) {
		if m.kind == unix.RTM_NEWLINK {
			found, err = decodeLink(m.body)
		}
		return err
	})
	if err == nil && found.Index == 0 {
		err = unix.ENODEV
	}
	return found, wrap("RTM_GETLINK "+name, err)
}

// Links returns all devices of the namespace.
func (c *Conn) Links() (all []Link, err error) {
	err = c.do(unix.RTM_GETLINK, unix.NLM_F_DUMP, linkBody(0, 0, 0), func(m *message) error {
		if m.kind != unix.RTM_NEWLINK {
			return nil
		}
		l, err := decodeLink(m.body)
		all = append(all, l)
		return err
	})
	return all, wrap("RTM_GETLINK", err)
}

// Addresses returns all addresses of a device.
func (c *Conn) Addresses(index int32) (all []Address, err error) {
	body := make([]byte, unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(body[4:], uint32(index))
	err = c.do(unix.RTM_GETADDR, unix.NLM_F_DUMP, body, func(m *message) error {
		if m.kind != unix.RTM_NEWADDR {
			return nil
		}
		a, err := decodeAddress(m.body)
		if a.Index == index { // the kernel returns those of all devices, unless strict checking is enabled
			all = append(all, a)
		}
		return err
	})
	return all, wrap("RTM_GETADDR", err)
}

// SetUp brings a device up, or down.
func (c *Conn) SetUp(index int32, up bool) error {
	flags := uint32(0)
	if up {
		flags = unix.IFF_UP
	}
	return wrap("RTM_NEWLINK IFF_UP", c.do(unix.RTM_NEWLINK, 0, linkBody(index, flags, unix.IFF_UP), nil))
}

// Move moves a device to the namespace of a descriptor, under this name.
func (c *Conn) Move(index int32, namespace int, name string) error {
	fd := binary.NativeEndian.AppendUint32(nil, uint32(namespace))
	body := appendAttribute(linkBody(index, 0, 0), unix.IFLA_NET_NS_FD, fd)
	body = appendAttribute(body, unix.IFLA_IFNAME, append([]byte(name), 0))
	return wrap("RTM_NEWLINK IFLA_NET_NS_FD", c.do(unix.RTM_NEWLINK, 0, body, nil))
}

// AddAddress adds an address, which a device named oldName had, to a device. It is not an error if the device has it
// already.
func (c *Conn) AddAddress(a *Address, to Link, oldName string) error {
	const flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	return wrap("RTM_NEWADDR", c.do(unix.RTM_NEWADDR, flags, a.body(to.Index, oldName, to.Name), nil))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// do sends a request and passes every message of the reply to each, up to the one that ends it.
func (c *Conn) do(kind, flags uint16, body []byte, each func(*message) error) error {
	c.seq++
	if flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP {
		flags |= unix.NLM_F_ACK
	}
	req := message{kind: kind, flags: flags | unix.NLM_F_REQUEST, seq: c.seq, body: body}
	if err := unix.Sendto(c.fd, req.encode(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	var failed error
	for {
		all, err := c.receive()
		if err != nil {
			return err
		}
		for i := range all {
			m := &all[i]
			if m.seq != c.seq {
				continue // reply to a request that timed out
			}
			switch m.kind {
			case unix.NLMSG_ERROR:
				return errors.Join(decodeError(m), failed)
			case unix.NLMSG_DONE:
				return failed
			}
			if each != nil && failed == nil {
				failed = each(m)
			}
		}
	}
}

// receive receives one datagram from the kernel.
func (c *Conn) receive() ([]message, error) {
	for {
		size, _, err := unix.Recvfrom(c.fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		b := make([]byte, size)
		n, from, err := unix.Recvfrom(c.fd, b, 0)
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 {
			return decode(b[:n])
		}
	}
}
