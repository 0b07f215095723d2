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

// Stats reads the group's statistics in one pass into s, whose memory it reuses. The numbers of a missing controller
// are zero. An error names the file; if the group is gone, it wraps ENOENT.
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
	if found == 0 { // a group that exists has at least one of these files
		return fmt.Errorf("cgroup %s is gone: %w", g.path, unix.ENOENT)
	}
	return nil
}

// sourcesOf returns the files to read for a group in one hierarchy. On a hybrid host it leaves out v2 files whose
// controller belongs to v1.
func sourcesOf(l *Layout, h *Hierarchy, pages []string) []source {
	all := sourcesV1(pages)
	if h.V2 {
		all = sourcesV2(pages)
	}
	var out []source
	for _, f := range all {
		owner := l.controllerHierarchy(f.controller)
		if f.controller == "cpu" && h.V2 && owner == h {
			owner = l.controllerHierarchy("cpuacct") // cpu.stat always exists, but its times are those of v1's cpuacct
		}
		if f.controller == "" || owner == h {
			out = append(out, f)
		}
	}
	return out
}

// contents reads files. The bytes are valid until the next call. The error for a file that does not exist, or that this
// kernel does not support, is an errno.
type contents interface {
	contents(file string) ([]byte, error)
}

// collect parses every file into s, and returns how many it found. With an error it returns the name of the file.
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

// absent reports whether the error means that the file does not exist, or that its feature is turned off.
func absent(err error) bool {
	return err == unix.ENOENT || err == unix.EOPNOTSUPP || err == unix.ENODEV
}

// fileReader reads files of one directory into one buffer, without allocating in between.
type fileReader struct {
	fd  int // borrowed
	buf []byte
}

// readHow opens files that the kernel made: there are no links below a group.
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
		// Each of these files is one record, which one read(2) returns whole if the buffer is large enough (fs/seq_file.c).
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

// pages caches the host's sizes of huge pages.
var pages struct {
	once  sync.Once
	sizes []string
}

// hugetlbSizes returns the sizes as they appear in file names (mm/hugetlb_cgroup.c, mem_fmt). They do not change while
// the host runs.
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

// hugetlbSize converts hugepages-2048kB to 2MB.
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
