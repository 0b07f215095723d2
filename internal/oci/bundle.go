package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// configLimit limits how much of a configuration is read. The largest that clients write are below 100 KiB.
const configLimit = 16 << 20

// LoadBundle reads the configuration of the bundle in dir: the file config, relative to the working directory, or
// config.json in the bundle if config is empty. The second result is the absolute path of the bundle.
//
// Errors name the file. If a file cannot be read, errors.Is finds the errno.
func LoadBundle(dir, config string) (*Spec, string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", fmt.Errorf("bundle %s: %w", dir, err)
	}
	if err := directory("bundle", abs); err != nil {
		return nil, "", err
	}
	file := ConfigFile(abs, config)
	data, err := readRegular(file)
	if err != nil {
		return nil, "", fmt.Errorf("bundle: %w", err)
	}
	spec, err := Decode(data, file)
	return spec, abs, err
}

// ConfigFile returns the path of a bundle's configuration; see LoadBundle.
func ConfigFile(bundle, config string) string {
	if config != "" {
		return config
	}
	return filepath.Join(bundle, "config.json")
}

// LoadProcess reads a file that contains only a process.
func LoadProcess(file string) (*Process, error) {
	data, err := readRegular(file)
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	return DecodeProcess(data, file)
}

// ReadResources reads a document that contains only linux.resources. Errors use file as its name. The caller
// closes r.
func ReadResources(r io.Reader, file string) (*Resources, error) {
	data, err := io.ReadAll(io.LimitReader(r, configLimit+1))
	if err == nil && len(data) > configLimit {
		err = errors.New("more than 16 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return DecodeResources(data, file)
}

// LoadResources reads a file that contains only linux.resources.
func LoadResources(file string) (*Resources, error) {
	data, err := readRegular(file)
	if err != nil {
		return nil, err
	}
	return DecodeResources(data, file)
}

// CheckRootfs checks that the root file system exists, so that the error names a path and not a stage in the
// child.
func CheckRootfs(path string) error { return directory("root.path", path) }

func directory(what, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s: %w", what, &os.PathError{Op: "stat", Path: path, Err: unix.ENOTDIR})
	}
	return nil
}

// readRegular reads a regular file of limited size. A FIFO or a device could block the runtime, or never end.
func readRegular(file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: file, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return nil, &os.PathError{Op: "read", Path: file, Err: unix.EISDIR}
	case unix.S_IFREG:
	default:
		return nil, fmt.Errorf("%s is not a regular file", file)
	}
	data, err := smallfile.ReadFD(fd, file, configLimit+1)
	if err == nil && len(data) > configLimit {
		err = errors.New(file + " is larger than 16 MiB")
	}
	return data, err
}
