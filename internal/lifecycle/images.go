package lifecycle

import (
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
	if err := im.checkParent(f.ParentPath); err != nil {
		im.close()
		return nil, err
	}
	return im, nil
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
	path := filepath.Join(im.dir.Name(), parent)
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		err = &os.PathError{Op: "stat", Path: path, Err: unix.ENOTDIR}
	}
	if err != nil {
		return fmt.Errorf("--parent-path %s: %w", parent, err)
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

// shownErrors is how many errors of CRIU's log are part of an error here.
const shownErrors = 3

// explain adds to an error of CRIU the last errors in its log, and where that is.
func (im *images) explain(err error) error {
	var failed *criu.Failed
	if !errors.As(err, &failed) {
		return err
	}
	text, readErr := smallfile.Read(im.log)
	if readErr != nil {
		return fmt.Errorf("%w (there is no log %s)", err, im.log)
	}
	if last := criu.LastErrors(string(text), shownErrors); len(last) > 0 {
		short := *failed
		short.Message = "" // the log has it, too
		return fmt.Errorf("%w: %s (more is in CRIU's log %s)", &short, strings.Join(last, "; "), im.log)
	}
	return fmt.Errorf("%w (CRIU's log is %s)", err, im.log)
}
