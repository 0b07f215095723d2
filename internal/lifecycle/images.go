package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/smallfile"
)

// defaultImages is the directory for the image files if --image-path does not name one, relative to the working
// directory, as with runc.
const defaultImages = "checkpoint"

// images are the directories of a checkpoint or a restore.
type images struct {
	dir  *os.File // the image files'
	work *os.File // the log's and CRIU's other files'; nil: dir
	log  string   // absolute path of the log
	made bool     // dir did not exist before
}

// openImages opens the directories, and makes them first if make is set; the work directory is made in any case. The
// caller closes the images.
func openImages(f *plan.Flags, logName string, create bool) (_ *images, err error) {
	path := f.ImagePath
	if path == "" {
		path = defaultImages
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	im := &images{log: filepath.Join(path, logName)}
	if _, err := os.Lstat(path); create && errors.Is(err, os.ErrNotExist) {
		im.made = true
	}
	if im.dir, err = openDir("--image-path", path, create); err != nil {
		return nil, err
	}
	if f.WorkPath != "" {
		if im.work, err = openDir("--work-path", f.WorkPath, true); err != nil {
			im.close()
			return nil, err
		}
		if im.log, err = filepath.Abs(filepath.Join(f.WorkPath, logName)); err != nil {
			im.close()
			return nil, err
		}
	}
	err = im.checkParent(f.ParentPath)
	if err == nil {
		err = im.removeLog()
	}
	if err != nil {
		im.close()
		return nil, err
	}
	return im, nil
}

// forLog returns the directory of the log.
func (im *images) forLog() *os.File {
	if im.work != nil {
		return im.work
	}
	return im.dir
}

// removeLog removes the log of an earlier run, so that its errors are not taken for those of this one.
func (im *images) removeLog() error {
	err := unix.Unlinkat(int(im.forLog().Fd()), filepath.Base(im.log), 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	return fmt.Errorf("CRIU's log, which --work-path puts elsewhere: %w",
		&os.PathError{Op: "remove", Path: im.log, Err: err})
}

func openDir(option, path string, create bool) (*os.File, error) {
	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("%s: %w", option, err)
		}
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, &os.PathError{Op: "open", Path: path, Err: err})
	}
	return os.NewFile(uintptr(fd), path), nil
}

// admit lets a container's root in a user namespace search a directory of images that this process has made: at a
// restore, processes in the namespace open images by their own rights. Everybody else stays out, because the files hold
// the container's memory, and CRIU makes them readable.
func (im *images) admit(pid int) error {
	if !im.made {
		return nil
	}
	gid, err := rootGroup(pid)
	if err != nil || gid == 0 {
		return err
	}
	return Join(im.dir.Chown(-1, gid), im.dir.Chmod(0o710))
}

// rootGroup returns the host's id of the group 0 in a process's user namespace; 0 if it has none.
func rootGroup(pid int) (int, error) {
	text, err := smallfile.Read("/proc/" + strconv.Itoa(pid) + "/gid_map")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		// user_namespaces(7): the first id inside, the first outside, and their number.
		if f := strings.Fields(line); len(f) == 3 && f[0] == "0" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, nil
}

// checkParent checks that the images of an earlier checkpoint are where CRIU will look for them.
func (im *images) checkParent(parent string) error {
	if parent == "" {
		return nil
	}
	// From the directory itself, as CRIU does: ".." leads elsewhere if --image-path is a link.
	var st unix.Stat_t
	err := unix.Fstatat(int(im.dir.Fd()), parent, &st, 0)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = unix.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("--parent-path %s: not a directory from %s on: %w", parent, im.dir.Name(), err)
	}
	return nil
}

// enter opens the directories again, in the calling thread's mount namespace: CRIU cannot mount on a directory of
// another one.
func (im *images) enter() error {
	for _, f := range []**os.File{&im.dir, &im.work} {
		if *f == nil {
			continue
		}
		here, err := openDir("directory of images", (*f).Name(), false)
		if err != nil {
			return err
		}
		_ = (*f).Close()
		*f = here
	}
	return nil
}

// close closes the directories.
func (im *images) close() {
	_ = im.dir.Close()
	if im.work != nil {
		_ = im.work.Close()
	}
}

// give names the directories to CRIU, which opens them by their numbers in this process.
func (im *images) give(o *criu.Options) {
	o.ImagesDir = int32(im.dir.Fd())
	if im.work != nil {
		o.WorkDir = new(int32(im.work.Fd()))
	}
}

// largestStreams is the size in bytes of the largest file with the names of the standard streams that is read: each
// name is a path, which JSON may escape.
const largestStreams = 256 << 10

// writeStreams stores the names of the standard streams in the image, in the form of runc. What has that name is
// replaced, and not written to: it may be a link.
func (im *images) writeStreams(names []string) error {
	if names == nil {
		names = []string{} // a list in any case
	}
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	path := filepath.Join(im.dir.Name(), plan.Streams)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return Join(err, f.Close())
}

// readStreams is the inverse of writeStreams.
func (im *images) readStreams() ([]string, error) {
	data, err := readEnd(im.dir, plan.Streams, largestStreams+1)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(im.dir.Name(), plan.Streams)
	if len(data) > largestStreams {
		return nil, fmt.Errorf("%s: more than %d bytes: %w", path, largestStreams, unix.EFBIG)
	}
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "json: "))
	}
	return names, nil
}

// readEnd reads a file in a directory, at most its last limit bytes. The file must be a regular one, for which nobody
// has to wait.
func readEnd(dir *os.File, name string, limit int64) ([]byte, error) {
	path := filepath.Join(dir.Name(), name)
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s: not a regular file: %w", path, unix.EINVAL)
	}
	if _, err := unix.Seek(fd, max(0, st.Size-limit), unix.SEEK_SET); err != nil {
		return nil, &os.PathError{Op: "lseek", Path: path, Err: err}
	}
	return smallfile.ReadFD(fd, path, int(limit))
}

// shownErrors is how many errors of CRIU's log are part of an error here, and loggedEnd the size in bytes of the log's
// end in which they are looked for: with thousands of processes there are many megabytes before.
const (
	shownErrors = 3
	loggedEnd   = 256 << 10
)

// explain adds to an error of CRIU the last errors in its log, and where that is.
func (im *images) explain(err error) error {
	var failed *criu.Failed
	if !errors.As(err, &failed) && !errors.Is(err, criu.ErrEnded) {
		return err
	}
	text, readErr := readEnd(im.forLog(), filepath.Base(im.log), loggedEnd)
	if readErr != nil {
		return fmt.Errorf("%w (there is no log %s)", err, im.log)
	}
	last := criu.LastErrors(string(text), shownErrors)
	if len(last) == 0 {
		return fmt.Errorf("%w (CRIU's log is %s)", err, im.log)
	}
	if failed != nil {
		short := *failed
		short.Message = "" // the log has it, too
		err = &short
	}
	return fmt.Errorf("%w: %s (more is in CRIU's log %s)", err, strings.Join(last, "; "), im.log)
}
