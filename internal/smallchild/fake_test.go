package smallchild

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// fakeKernel carries out nothing. It decides the results of the calls by the bytes of a script: each call takes one,
// and a script that has ended goes on with zeros.
type fakeKernel struct {
	memory  []byte
	script  []byte
	running bool     // the program: what comes before it always succeeds
	frames  [][]byte // what the parent sends: whole frames, the first one next
	calls   int
	seq     byte // of the last frame that the child has sent
	room    uint64
	outside error // the first call with a buffer that is not in the program's memory
}

// buffer checks a buffer of a call that the program makes: it may be data of the program, registers, or the first room
// bytes of the program's memory. What the kernel writes may only be the last.
func (k *fakeKernel) buffer(call string, address, size uint64, written bool) {
	in := func(from, length uint64) bool {
		return address >= from && address+size <= from+length && address+size >= size
	}
	ok := in(scratch, k.room)
	if !written {
		ok = ok || in(configBase, maxConfig) || in(registers, 8*uint64(lastReg+1)) || in(replyFD, 8) ||
			in(out, outSize) // an ERROR
	}
	if k.running && !ok && k.outside == nil {
		k.outside = fmt.Errorf("%s of %d bytes at %#x", call, size, address)
	}
}

func (k *fakeKernel) next() (b byte) {
	if len(k.script) > 0 {
		b, k.script = k.script[0], k.script[1:]
	}
	return b
}

// bytes returns the part of a buffer that is in the memory.
func (k *fakeKernel) bytes(address, size uint64) []byte {
	at := min(max(address, memoryBase)-memoryBase, uint64(len(k.memory)))
	return k.memory[at:][:min(size, uint64(len(k.memory))-at)]
}

func (k *fakeKernel) Call(nr uintptr, args ...uint64) (int64, bool) {
	k.calls++
	choice := byte(0)
	if k.running {
		choice = k.next()
	}
	switch nr {
	case unix.SYS_EXIT_GROUP, unix.SYS_EXIT:
		return 0, false
	case unix.SYS_EXECVE:
		return -int64(choice), choice != 0
	case unix.SYS_RECVMSG:
		return k.receive(), true
	case unix.SYS_SENDTO:
		if b := k.bytes(args[1], 8); len(b) == 8 {
			k.seq, k.running = b[7], k.running || b[3] == byte(syncproto.KindConfigOK)
		}
		return int64(args[2]), true
	case unix.SYS_READ, unix.SYS_PREAD64:
		if choice > 250 {
			return -int64(choice), true
		}
		n := min(uint64(choice)*16, args[2])
		k.buffer("read", args[1], args[2], true)
		b := k.bytes(args[1], n)
		for i := range b {
			b[i] = k.next()
		}
		return int64(n), true
	case unix.SYS_GETDENTS64:
		if choice > 250 {
			return -int64(choice), true
		}
		const size = 24
		b := k.bytes(args[1], size*uint64(choice%4))
		clear(b)
		for at := 0; at < len(b); at += size {
			b[at+16], b[at+19] = size, ".aB"[k.next()%3]
		}
		return int64(len(b)), true
	case unix.SYS_GETSOCKOPT:
		binary.LittleEndian.PutUint32(k.bytes(args[3], 4), map[uint64]uint32{unix.SO_DOMAIN: unix.AF_UNIX,
			unix.SO_TYPE: unix.SOCK_SEQPACKET}[args[2]])
		return 0, true
	case unix.SYS_ACCEPT4:
		if len(k.frames) == 0 {
			return 0, false // nobody comes any more
		}
	case unix.SYS_WRITE:
		k.buffer("write", args[1], args[2], false)
	case unix.SYS_FSTAT:
		k.buffer("fstat", args[1], sizeofStat, true)
	case unix.SYS_FCNTL, unix.SYS_SETSOCKOPT:
		return 0, true
	}
	if choice > 128 {
		return -int64(choice - 128), true
	}
	return int64(choice), true
}

// receive puts the next frame of the parent where recvmsg(2) would. A reply is to the last request.
func (k *fakeKernel) receive() int64 {
	if len(k.frames) == 0 {
		return 0
	}
	f := slices.Clone(k.frames[0])
	k.frames = k.frames[1:]
	if len(f) > 9 && f[3] == byte(syncproto.KindReply) {
		f[9] = k.seq
	}
	n := copy(k.bytes(header, 16), f)
	to := binary.LittleEndian.Uint64(k.bytes(vector+16, 8))
	n += copy(k.bytes(to, frameSize), f[n:])
	binary.LittleEndian.PutUint64(k.bytes(messageHeader+40, 8), 0)
	return int64(n)
}

// parentFrames returns frames as the parent sends them, numbered from one.
func parentFrames(frames ...[]byte) [][]byte {
	for n, f := range frames {
		f[7] = byte(n + 1)
	}
	return frames
}

// frameOf returns a frame, without its number.
func frameOf(kind syncproto.Kind, payload string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{'S', 'Y', 1, byte(kind), 0, 0, 0, 0, 0, 0, 0, 0}, uint32(len(payload)))
	return append(b, payload...)
}

// configOf returns the frames of CONFIG for a program: a value of bytes in MessagePack, in fragments.
func configOf(program []byte) (frames [][]byte) {
	config := binary.BigEndian.AppendUint16([]byte{0xc5}, uint16(len(program)))
	if len(program) > 1<<16-1 {
		config = binary.BigEndian.AppendUint32([]byte{longMark}, uint32(len(program)))
	}
	for part := range slices.Chunk(append(config, program...), 32<<10) {
		f := frameOf(syncproto.KindConfig, string(part))
		f[4] = 1 // MORE
		frames = append(frames, f)
	}
	frames[len(frames)-1][4] = 0
	return frames
}

// The only request of generated programs, and its reply.
const question, answer = "\x82\xa4name\xa5ready\xa3arg\xc0", "\x82\xa4name\xa3run\xa3arg\xc0"

// fakeRun interprets a program of any bytes that has room bytes of memory.
func fakeRun(program []byte, room uint64, script []byte) (*fakeKernel, error) {
	p := container.InitProfile()
	k := &fakeKernel{memory: make([]byte, memorySize), room: room, script: script, frames: conversation(program,
		frameOf(syncproto.KindReply, answer), frameOf(syncproto.KindReply, answer), frameOf(syncproto.KindReply, answer),
		frameOf(syncproto.KindCancel, ""))}
	return k, Interpret(k, k.memory, 3, p)
}
