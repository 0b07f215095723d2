//go:build linux && (amd64 || arm64) && !race && !msan && !asan && !handfast_nofork

package smallchild

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/remote"
)

// TestNames checks which file the first bytes of a program name, and that the child gives up if they do not tell,
// which leaves them to a whole child.
func TestNames(t *testing.T) {
	const end = 64 + 2*56
	const giveUp = "?"
	changed := func(at int, b byte) string {
		file := []byte(elfFile(1, 0, 0, ""))
		file[at] = b
		return string(file)
	}
	long := "/" + strings.Repeat("x", 300)
	for _, c := range []struct{ name, head, want string }{
		{"script", "#!/bin/sh\n", "1 /bin/sh"},
		{"blanks and an argument", "#! \t /bin/env -S sh\n", "1 /bin/env"},
		{"a tab behind", "#!/bin/sh\t-e", "1 /bin/sh"},
		{"of another system", "#!/bin/sh\r\n", "1 /bin/sh\r"},
		{"without a newline", "#!/x", "1 /x"},
		{"with a zero byte", "#!/x\x00y", "1 /x"},
		{"cut by the kernel", "#!" + long, "1 " + long[:254]},
		{"no interpreter", "#!  \n/x", "0 "},
		{"only the mark", "#!", "0 "},
		{"one byte", "#", "0 "},
		{"nothing", "", "0 "},
		{"text", "echo\n", "0 "},
		{"a short ELF file", "\x7fELF\x02\x01", "0 "},
		{"static", elfFile(1, 0, 0, ""), "0 "},
		{"dynamic", elfFile(3, end, 8, "/lib/ld\x00more"), "2 /lib/ld"},
		{"32 bits", changed(4, 1), giveUp},
		{"most significant first", changed(5, 2), giveUp},
		{"headers of another size", changed(54, 32), giveUp},
		{"headers elsewhere", changed(33, 4), giveUp},
		{"headers far away", changed(39, 0x80), giveUp},
		{"too many headers", changed(57, 1), giveUp},
		{"no headers", changed(56, 0), "0 "},
		{"loader cut", elfFile(3, end, 9, "/lib/ld\x00"), giveUp},
		{"loader elsewhere", elfFile(3, 4000, 1, ""), giveUp},
		{"loader far away", elfFile(3, 1<<63, 1, ""), giveUp},
		{"a loader without an end", elfFile(3, end, 1<<63, ""), giveUp},
		{"an end that wraps", elfFile(3, end, ^uint64(0)-end+2, "/x"), giveUp},
	} {
		p := New()
		to, size, kind := p.Scratch(1032), p.Reg(), p.Reg()
		p.Set(size, Int(len(c.head)))
		p.Names(p.Bytes(append([]byte(c.head), 0), "head"), size, to.At(0), kind)
		for n, digit := range []string{"0", "1", "2"} {
			is, not := p.Label(), p.Label()
			p.IfReg(kind, uint64(n), is)
			p.Jump(not)
			p.Place(is)
			p.Call("write", unix.SYS_WRITE, Int(1), p.Str(digit+" "), Int(2))
			p.Place(not)
		}
		p.Call("write", unix.SYS_WRITE, Int(1), to.At(0), Int(max(len(c.want)-2, 0)))
		executes(p, "echo .")
		out, _, err := run(t, encode(t, p))
		if c.want == giveUp {
			if theirs := (*remote.Error)(nil); !errors.As(err, &theirs) || !strings.HasPrefix(theirs.Error(), Failed+"1 ") {
				t.Errorf("%s: %q, %v, want it to give up", c.name, out, err)
			}
			continue
		}
		if want := c.want + ".\n"; err != io.EOF || out != want {
			t.Errorf("%s: %q, %v, want %q", c.name, out, err, want)
		}
	}
}
