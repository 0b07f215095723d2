package oci

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/seccomp"
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// TestClientsCalls carries out the programs of the clients' configurations against a kernel on which every call
// succeeds. Each must reach its execution. For two of them the golden files have the calls.
func TestClientsCalls(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	golden.Only(t, "testdata/calls/*.txt")
	ran := 0
	for _, c := range clientSpecs(t) {
		out, err := Plan(c.spec, Options{Bundle: "/bundle", ID: "ctr", Host: testHost()})
		if err != nil {
			t.Fatal(err)
		}
		p, err := nsinit.Compile("init", configOfChild(&out.Spawn))
		if err != nil {
			continue // it needs a whole child, see TestClientsChildren
		}
		program, err := p.Encode()
		if err != nil {
			continue
		}
		ran++
		k := newCalmKernel(t, program)
		if err := smallchild.Interpret(k, k.memory, 3, container.InitProfile()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if last := k.calls[len(k.calls)-1]; !strings.HasPrefix(last, "execve(") {
			t.Errorf("%s: the last call is %s, after %q", c.name, last, k.sent)
		}
		if c.name == "docker-1" || c.name == "podman-1" {
			golden.Compare(t, "testdata/calls/"+c.name+".txt", strings.Join(k.calls, "\n")+"\n")
		}
	}
	if ran < 20 {
		t.Errorf("only %d programs", ran)
	}
}

// calmKernel is a kernel on which every call succeeds. It knows of files only what their paths say.
type calmKernel struct {
	memory  []byte
	frames  [][]byte // what the parent sends next
	seq     byte     // of the last of them
	replies map[string][]byte
	calls   []string // since the child has its program
	begun   bool
	sent    string           // the last frame of the child
	files   map[int64]string // paths of descriptors
	next    int64            // descriptor
}

func newCalmKernel(t *testing.T, program []byte) *calmKernel {
	t.Helper()
	p := container.InitProfile()
	hello := payload(t, codec.JSON(), &syncproto.Hello{MinVersion: 1, MaxVersion: 1,
		Codecs: []string{smallchild.CodecName}, Profile: p.Name, Hash: fmt.Sprintf("%016x", p.Hash())})
	config := binary.BigEndian.AppendUint16([]byte{0xc5}, uint16(len(program))) // bytes in MessagePack
	k := &calmKernel{memory: make([]byte, smallchild.MemorySize), files: map[int64]string{}, next: 4,
		replies: map[string][]byte{}}
	for _, row := range []syncproto.Row{container.HooksRequest.Row, container.ReadyRequest.Row,
		container.ConsoleRequest.Row, container.MountRequest.Row} {
		k.replies[row.Request] = payload(t, codec.MessagePack(), &struct {
			Name string   `sync:"name"`
			Arg  struct{} `sync:"arg"`
		}{Name: row.Reply})
	}
	k.send(syncproto.KindHello, 0, hello)
	k.send(syncproto.KindConfig, 0, append(config, program...))
	return k
}

// answer is the parent's part for a frame of the child.
func (k *calmKernel) answer(frame string) {
	k.sent, k.begun = frame, k.begun || frame[3] == byte(syncproto.KindConfigOK)
	for name, reply := range k.replies {
		if frame[3] == byte(syncproto.KindRequest) && strings.HasPrefix(frame[syncproto.HeaderSize+7:], name) {
			k.send(syncproto.KindReply, frame[7], reply)
			if name == container.MountRequest.Request {
				k.frames[len(k.frames)-1][5] = 1 // a descriptor
			}
		}
	}
}

// send lets the parent send a frame.
func (k *calmKernel) send(kind syncproto.Kind, re byte, payload []byte) {
	k.seq++
	b := []byte{'S', 'Y', 1, byte(kind), 0, 0, 0, k.seq, 0, re, 0, 0}
	k.frames = append(k.frames, append(binary.BigEndian.AppendUint32(b, uint32(len(payload))), payload...))
}

func payload[T any](t *testing.T, c codec.Codec, v *T) []byte {
	t.Helper()
	b, err := codec.Encode(c, nil, v, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at returns the memory at an address; ok is false if the number is none.
func (k *calmKernel) at(address uint64) (b []byte, ok bool) {
	if address < smallchild.MemoryBase || address >= smallchild.MemoryBase+smallchild.MemorySize {
		return make([]byte, 256), false
	}
	return k.memory[address-smallchild.MemoryBase:], true
}

// text returns the text at an address.
func (k *calmKernel) text(address uint64) string {
	b, _ := k.at(address)
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// note records a call, with its texts but without addresses, which change with every instruction.
func (k *calmKernel) note(nr uintptr, args []uint64) {
	for len(args) > 0 && args[len(args)-1] == 0 {
		args = args[:len(args)-1]
	}
	shown := make([]string, len(args))
	for n, a := range args {
		shown[n] = fmt.Sprint(int64(a))
		if _, ok := k.at(a); ok {
			shown[n] = "*"
			if text := k.text(a); text != "" && strings.Trim(text, textCharacters) == "" {
				shown[n] = fmt.Sprintf("%q", text)
			}
		}
	}
	k.calls = append(k.calls, seccomp.HostArch().Name(uint32(nr))+"("+strings.Join(shown, ", ")+")")
}

const textCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=,"

func (k *calmKernel) Call(nr uintptr, args ...uint64) (int64, bool) {
	if k.begun {
		k.note(nr, args)
	}
	le := binary.LittleEndian
	b := func(n int) []byte { b, _ := k.at(args[n]); return b }
	switch nr {
	case unix.SYS_EXECVE, unix.SYS_EXIT_GROUP:
		return 0, false
	case unix.SYS_GETSOCKOPT:
		le.PutUint32(b(3), map[uint64]uint32{unix.SO_DOMAIN: unix.AF_UNIX, unix.SO_TYPE: unix.SOCK_SEQPACKET}[args[2]])
	case unix.SYS_RECVMSG:
		return k.receive(b(1)), true
	case unix.SYS_SENDTO, unix.SYS_WRITE:
		if args[0] != 3 { // not the socket
			return int64(args[2]), true
		}
		k.answer(string(b(1)[:args[2]]))
		return int64(args[2]), true
	case unix.SYS_SENDMSG: // a struct msghdr of one part
		part, _ := k.at(le.Uint64(b(1)[16:]))
		frame, _ := k.at(le.Uint64(part))
		size := le.Uint64(part[8:])
		k.answer(string(frame[:size]))
		return int64(size), true
	case unix.SYS_FSTATFS:
		le.PutUint64(b(1), unix.DEVPTS_SUPER_MAGIC)
	case unix.SYS_OPENAT, unix.SYS_OPENAT2:
		return k.open(k.text(args[1])), true
	case unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_OPEN_TREE, unix.SYS_SOCKET:
		return k.open(""), true
	case unix.SYS_FSTAT:
		k.stat(k.files[int64(args[0])], b(1))
	case unix.SYS_STATX:
		le.PutUint64(b(4)[8:], unix.STATX_ATTR_MOUNT_ROOT)
	case unix.SYS_NEWFSTATAT:
		k.stat("bin/program", b(2)) // no other file is examined by its path
	case unix.SYS_GETCWD:
		return int64(copy(b(0), "/\x00")), true
	case unix.SYS_CAPGET:
		for n := range 24 {
			b(1)[n] = 0xff
		}
	case unix.SYS_KEYCTL:
		if args[0] == unix.KEYCTL_DESCRIBE {
			copy(b(2), "keyring;0;0;3f130000;_ses\x00")
		}
	case unix.SYS_PRCTL:
		if args[0] == unix.PR_CAPBSET_READ {
			return 1, true
		}
	}
	return 0, true
}

func (k *calmKernel) open(path string) int64 {
	k.next++
	k.files[k.next] = path
	return k.next
}

// receive carries out recvmsg(2) with a struct msghdr of two parts.
func (k *calmKernel) receive(header []byte) int64 {
	if len(k.frames) == 0 {
		return 0
	}
	f := k.frames[0]
	k.frames = k.frames[1:]
	le := binary.LittleEndian
	parts, _ := k.at(le.Uint64(header[16:]))
	first, _ := k.at(le.Uint64(parts))
	second, _ := k.at(le.Uint64(parts[16:]))
	copy(second, f[copy(first[:syncproto.HeaderSize], f):])
	le.PutUint64(header[40:], 0) // no control message
	if f[5] == 1 {
		control, _ := k.at(le.Uint64(header[32:]))
		le.PutUint64(header[40:], 24)
		le.PutUint64(control, 20)
		le.PutUint64(control[8:], unix.SCM_RIGHTS<<32|unix.SOL_SOCKET)
		le.PutUint32(control[16:], uint32(k.open("")))
	}
	return int64(len(f))
}

// stat fills in a struct stat by what a path promises: the null device, a program, a file, or else a directory.
func (*calmKernel) stat(path string, st []byte) {
	const mode, device = 24, 40 // offsets on amd64
	kind, number := uint32(unix.S_IFDIR|0o755), uint64(0)
	switch {
	case strings.HasSuffix(path, "dev/null"):
		kind, number = unix.S_IFCHR|0o666, unix.Mkdev(1, 3)
	case strings.Contains(path, "bin/"):
		kind = unix.S_IFREG | 0o755
	case path == "" || strings.Contains(path, "."):
		kind = unix.S_IFREG | 0o644
	}
	binary.LittleEndian.PutUint32(st[mode:], kind)
	binary.LittleEndian.PutUint64(st[device:], number)
}
