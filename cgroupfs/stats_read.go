package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stats reads the group in one pass into s, whose memory it reuses. Where a controller is missing its numbers are zero.
// An error names the file; once the group is gone it is ENOENT.
func (g *Group) Stats(s *Stats) error {
	if len(g.members) == 0 {
		return fmt.Errorf("cgroup %s is gone: %w", g.path, unix.ENOENT)
	}
	if g.sources == nil {
		g.sources = make([][]source, len(g.members))
		for i, m := range g.members {
			g.sources[i] = sourcesOf(g.layout, m.h, hugetlbSizes())
		}
	}
	s.reset()
	found := 0
	for i := range g.members {
		m := &g.members[i]
		s.reader.fd = m.dir.fd
		n, file, err := collect(s, &s.reader, g.sources[i])
		if err != nil {
			return &os.PathError{Op: "read", Path: path.Join(m.dir.name, file), Err: err}
		}
		found += n
	}
	if found == 0 { // a group has some file of these as long as it exists
		return fmt.Errorf("cgroup %s is gone: %w", g.path, unix.ENOENT)
	}
	return nil
}

// sourcesOf are the files that a group is to be read from in one hierarchy: on a hybrid host no v2 file whose
// controller is v1's.
func sourcesOf(l *Layout, h *Hierarchy, pages []string) []source {
	all := sourcesV1(pages)
	if h.V2 {
		all = sourcesV2(pages)
	}
	var out []source
	for _, f := range all {
		owner := l.find(f.controller)
		if f.controller == "cpu" && h.V2 && owner == h {
			owner = l.find("cpuacct") // cpu.stat is always there, and the time in it is v1's cpuacct
		}
		if f.controller == "" || owner == h {
			out = append(out, f)
		}
	}
	return out
}

// contents is where the files come from. The bytes are valid until the next call; a file that does not exist, or that
// this kernel does not support, is an errno.
type contents interface {
	contents(file string) ([]byte, error)
}

// collect takes every file in and counts them. After an error the name is that of the file that it is about.
func collect(s *Stats, from contents, sources []source) (found int, name string, err error) {
	for i := range sources {
		f := &sources[i]
		b, err := from.contents(f.file)
		if err == nil {
			err = f.take(s, b, f.size)
		}
		switch {
		case err == nil:
			found++
		case !absent(err):
			return found, strings.TrimSuffix(f.file, "\x00"), err
		}
	}
	return found, "", nil
}

// absent says that a file is not there, or that what it tells is turned off.
func absent(err error) bool {
	return err == unix.ENOENT || err == unix.EOPNOTSUPP || err == unix.ENODEV
}

// fileReader reads files of one directory into one buffer, without allocating in between.
type fileReader struct {
	fd  int // borrowed
	buf []byte
}

// readHow is for files that the kernel made: nothing below a group is a link.
var readHow = unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC,
	Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}

func (r *fileReader) contents(file string) ([]byte, error) {
	var fd uintptr
	for {
		var errno unix.Errno
		fd, _, errno = unix.Syscall6(unix.SYS_OPENAT2, uintptr(r.fd), uintptr(unsafe.Pointer(unsafe.StringData(file))),
			uintptr(unsafe.Pointer(&readHow)), unsafe.Sizeof(readHow), 0, 0)
		if errno == 0 {
			break
		}
		if errno != unix.EINTR && errno != unix.EAGAIN {
			return nil, errno
		}
	}
	defer unix.Close(int(fd))
	if r.buf == nil {
		r.buf = make([]byte, 16<<10)
	}
	for {
		// These files are one record each, which one read(2) gives whole if there is room (fs/seq_file.c).
		n, err := unix.Pread(int(fd), r.buf, 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n < len(r.buf):
			return r.buf[:n], nil
		case n > 16<<20:
			return nil, unix.EFBIG
		default:
			r.buf = make([]byte, 2*len(r.buf))
		}
	}
}

// pages are the host's sizes of huge pages, once they are asked for.
var pages struct {
	once  sync.Once
	sizes []string
}

// hugetlbSizes are those sizes as the files are named (mm/hugetlb_cgroup.c, mem_fmt). They do not change while the host
// runs.
func hugetlbSizes() []string {
	pages.once.Do(func() { pages.sizes = readHugetlbSizes() })
	return pages.sizes
}

func readHugetlbSizes() []string {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if err != nil {
		return nil // a kernel without huge pages
	}
	var sizes []string
	for _, e := range entries {
		if size, err := hugetlbSize(e.Name()); err == nil {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// hugetlbSize turns hugepages-2048kB into 2MB.
func hugetlbSize(dir string) (string, error) {
	text, found := strings.CutPrefix(dir, "hugepages-")
	text, kb := strings.CutSuffix(text, "kB")
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case !found || !kb:
		return "", errors.New("no directory of huge pages")
	case err != nil:
		return "", err
	case n >= 1<<20:
		return strconv.FormatUint(n>>20, 10) + "GB", nil
	case n >= 1<<10:
		return strconv.FormatUint(n>>10, 10) + "MB", nil
	}
	return strconv.FormatUint(n, 10) + "KB", nil
}
