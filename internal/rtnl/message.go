// Package rtnl moves network devices from one network namespace to another: the few rtnetlink(7) messages that this
// takes, as values, and a socket that carries them. It knows nothing of containers.
package rtnl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Link is a network device.
type Link struct {
	Index int32
	Name  string
	Up    bool // its administrative state (IFF_UP)
}

// Address is an address of a device, with whatever attributes the kernel gave it.
type Address struct {
	Index      int32 // of the device
	family     uint8
	prefix     uint8
	scope      uint8
	flags      uint32
	attributes []attribute
}

// Lasting reports whether an address was configured permanently and has global scope. Others, such as link-local ones,
// come and go with the device.
func (a *Address) Lasting() bool {
	return a.flags&unix.IFA_F_PERMANENT != 0 && a.scope == unix.RT_SCOPE_UNIVERSE
}

// attribute is a type, without the flags in its two highest bits, and a value.
type attribute struct {
	kind  uint16
	value []byte
}

// message is one of netlink(7): a type, its flags, and what follows the header.
type message struct {
	kind  uint16
	flags uint16
	seq   uint32
	body  []byte
}

const headerSize = unix.SizeofNlMsghdr

// align is NLMSG_ALIGN and RTA_ALIGN.
func align(n int) int { return (n + 3) &^ 3 }

// encode returns the message in its wire format.
func (m *message) encode() []byte {
	b := make([]byte, headerSize, headerSize+align(len(m.body)))
	binary.NativeEndian.PutUint32(b[0:], uint32(headerSize+len(m.body)))
	binary.NativeEndian.PutUint16(b[4:], m.kind)
	binary.NativeEndian.PutUint16(b[6:], m.flags)
	binary.NativeEndian.PutUint32(b[8:], m.seq)
	b = append(b, m.body...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

// errCut is the error for a message that is shorter than its header says, or than a header.
var errCut = errors.New("a netlink message is cut off")

// decode splits a datagram into messages. Their bodies share b's memory.
func decode(b []byte) (all []message, err error) {
	for len(b) > 0 {
		if len(b) < headerSize {
			return nil, errCut
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < headerSize || size > len(b) {
			return nil, errCut
		}
		all = append(all, message{
			kind: binary.NativeEndian.Uint16(b[4:]), flags: binary.NativeEndian.Uint16(b[6:]),
			seq: binary.NativeEndian.Uint32(b[8:]), body: b[headerSize:size],
		})
		b = b[min(align(size), len(b)):]
	}
	return all, nil
}

// appendAttribute adds one attribute, rtnetlink(7).
func appendAttribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align(len(value))-len(value))...)
}

// attributes reads attributes up to the end of b.
func attributes(b []byte) (all []attribute, err error) {
	for len(b) >= 4 {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			return nil, errCut
		}
		kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		all = append(all, attribute{kind, b[4:size]})
		b = b[min(align(size), len(b)):]
	}
	return all, nil
}

func find(all []attribute, kind uint16) []byte {
	for _, a := range all {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

// text returns the value of an attribute up to its NUL.
func text(value []byte) string {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		value = value[:i]
	}
	return string(value)
}

// linkBody is a struct ifinfomsg: the device, and the flags that change.
func linkBody(index int32, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], change)
	return b
}

// decodeLink reads an RTM_NEWLINK.
func decodeLink(body []byte) (Link, error) {
	if len(body) < unix.SizeofIfInfomsg {
		return Link{}, errCut
	}
	all, err := attributes(body[unix.SizeofIfInfomsg:])
	if err != nil {
		return Link{}, err
	}
	return Link{
		Index: int32(binary.NativeEndian.Uint32(body[4:])), Name: text(find(all, unix.IFLA_IFNAME)),
		Up: binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP != 0,
	}, nil
}

// decodeAddress reads an RTM_NEWADDR. The address is a copy.
func decodeAddress(body []byte) (Address, error) {
	if len(body) < unix.SizeofIfAddrmsg {
		return Address{}, errCut
	}
	a := Address{
		family: body[0], prefix: body[1], flags: uint32(body[2]), scope: body[3],
		Index: int32(binary.NativeEndian.Uint32(body[4:])),
	}
	all, err := attributes(body[unix.SizeofIfAddrmsg:])
	if err != nil {
		return Address{}, err
	}
	for _, e := range all {
		if e.kind == unix.IFA_FLAGS && len(e.value) == 4 {
			a.flags = binary.NativeEndian.Uint32(e.value)
			continue
		}
		a.attributes = append(a.attributes, attribute{e.kind, slices.Clone(e.value)})
	}
	return a, nil
}

// stateFlags describe the state of an address, and cannot be requested.
const stateFlags = unix.IFA_F_SECONDARY | unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED

// body returns the request that adds the address to another device, or to the same one again. A label is the device's
// name, or begins with it.
func (a *Address) body(index int32, oldName, newName string) []byte {
	flags := a.flags &^ stateFlags
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0], b[1], b[2], b[3] = a.family, a.prefix, byte(flags), a.scope
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	for _, e := range a.attributes {
		value := e.value
		switch e.kind {
		case unix.IFA_CACHEINFO, unix.IFA_TARGET_NETNSID: // its remaining lifetime, and a namespace id of the kernel's
			continue
		case unix.IFA_LABEL:
			rest, _ := strings.CutPrefix(text(value), oldName)
			if !strings.HasPrefix(rest, ":") || len(newName)+len(rest) >= unix.IFNAMSIZ {
				rest = ""
			}
			value = append([]byte(newName+rest), 0)
		}
		b = appendAttribute(b, e.kind, value)
	}
	return appendAttribute(b, unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, flags))
}

// decodeError decodes an NLMSG_ERROR: nil for an acknowledgement, else the errno with the kernel's text if there is
// one.
func decodeError(m *message) error {
	if len(m.body) < 4 {
		return errCut
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(m.body)))
	if errno == 0 {
		return nil
	}
	// After the errno comes the request: all of it, or its header alone.
	rest := m.body[4:]
	if m.flags&unix.NLM_F_ACK_TLVS == 0 || len(rest) < headerSize {
		return errno
	}
	skip := headerSize
	if m.flags&unix.NLM_F_CAPPED == 0 {
		skip = align(int(binary.NativeEndian.Uint32(rest)))
	}
	if skip < headerSize || skip > len(rest) {
		return errno
	}
	all, err := attributes(rest[skip:])
	if words := text(find(all, unix.NLMSGERR_ATTR_MSG)); err == nil && words != "" {
		return fmt.Errorf("%w (%s)", errno, words)
	}
	return errno
}
