// Package plan decides what to request from CRIU for a container: from the options of the command line, the
// container's state or its new configuration, and what this host says about its mounts and namespaces. It is pure:
// the result is a value that a test prints, and package lifecycle carries it out.
//
// The names of what is outside of an image are runc's, so that either runtime restores what the other has saved.
package plan

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/criu"
)

// Names of files.
const (
	DumpLog    = "dump.log"         // CRIU's log of a checkpoint, in the work directory
	RestoreLog = "restore.log"      // of a restore
	Streams    = "descriptors.json" // in the images directory: the names of the standard streams
)

// ConfigAnnotation names a file with options for CRIU, which override those of the command line; empty: no file.
const ConfigAnnotation = "org.criu.config"

// ConfigFiles are where such a file is expected if the annotation is missing. The first that exists counts.
var ConfigFiles = [...]string{"/etc/criu/handfast.conf", "/etc/criu/runc.conf"}

// standardStreams is how many names there are in Streams at most: the next descriptors are not the container's.
const standardStreams = 3

// logEverything is CRIU's highest level, as runc sets it: an error alone does not say what it is about.
const logEverything = 4

// Flags are the options of checkpoint and restore. An option that a command does not have is zero.
type Flags struct {
	ImagePath, WorkPath    string // empty: "checkpoint" in the working directory; the images directory
	ParentPath             string
	PageServer             string // ADDRESS:PORT
	ManageCgroups          string // soft, full, strict, ignore, or empty for soft
	NetworkLock            string // iptables, nftables, skip, or empty for iptables
	LSMProfile, LSMContext string
	EmptyNS                []string // network alone

	LeaveRunning, PreDump, LazyPages, AutoDedup bool
	TCPEstablished, TCPSkipInFlight, TCPClose   bool
	ExtUnixSk, ShellJob, FileLocks, LinkRemap   bool
}

// Features returns what CRIU must be able to do on this kernel.
func (f *Flags) Features() criu.Features {
	return criu.Features{MemTrack: f.PreDump || f.ParentPath != "", LazyPages: f.LazyPages}
}

// common returns the options that both commands have.
func (f *Flags) common() (*criu.Options, error) {
	o := &criu.Options{
		LogLevel: logEverything, NotifyScripts: true, ManageCgroups: true, OrphanPTS: true,
		ShellJob: f.ShellJob, ExtUnixSk: f.ExtUnixSk, TCPEstablished: f.TCPEstablished, FileLocks: f.FileLocks,
		AutoDedup: f.AutoDedup, LazyPages: f.LazyPages,
		// As with runc, whatever --empty-ns says: who has made the network of the container makes it again, in a hook or
		// before the restore.
		EmptyNS: unix.CLONE_NEWNET,
	}
	for _, ns := range f.EmptyNS {
		if ns != "network" {
			return nil, fmt.Errorf("--empty-ns %q: want network", ns)
		}
	}
	if f.ManageCgroups != "" {
		mode, known := map[string]criu.CgroupMode{"soft": criu.CgroupSoft, "full": criu.CgroupFull,
			"strict": criu.CgroupStrict, "ignore": criu.CgroupIgnore}[f.ManageCgroups]
		if !known {
			return nil, fmt.Errorf("--manage-cgroups-mode %q: want soft, full, strict or ignore", f.ManageCgroups)
		}
		o.CgroupMode = &mode
	}
	if f.NetworkLock != "" {
		lock, known := map[string]criu.NetworkLock{"iptables": criu.LockIPTables, "nftables": criu.LockNFTables,
			"skip": criu.LockSkip}[f.NetworkLock]
		if !known {
			return nil, fmt.Errorf("--network-lock %q: want iptables, nftables or skip", f.NetworkLock)
		}
		o.NetworkLock = lock
	}
	return o, nil
}

// Check reports the first option that is wrong by itself.
func (f *Flags) Check() error {
	if _, err := f.common(); err != nil {
		return err
	}
	if _, err := pageServer(f.PageServer); err != nil {
		return err
	}
	if filepath.IsAbs(f.ParentPath) {
		return fmt.Errorf("--parent-path %s: must be relative to --image-path", f.ParentPath)
	}
	return nil
}

// pageServer parses --page-server; empty: nil. An address of IP version 6 is in brackets.
func pageServer(text string) (*criu.PageServer, error) {
	if text == "" {
		return nil, nil
	}
	wrong := func() error { return fmt.Errorf("--page-server %q: want ADDRESS:PORT", text) }
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return nil, wrong()
	}
	address, port := text[:i], text[i+1:]
	if inner, found := strings.CutPrefix(address, "["); found {
		if address, found = strings.CutSuffix(inner, "]"); !found {
			return nil, wrong()
		}
	} else if strings.Contains(address, ":") {
		return nil, wrong()
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || address == "" {
		return nil, wrong()
	}
	return &criu.PageServer{Address: address, Port: int32(n)}, nil
}

// configFile decides which file with options CRIU reads. exists tells whether there is a file.
func configFile(annotations map[string]string, exists func(string) bool) (string, error) {
	if file, found := annotations[ConfigAnnotation]; found {
		switch {
		case file != "" && !filepath.IsAbs(file):
			return "", fmt.Errorf("annotations.%s: %q: want an absolute path, or nothing for no file", ConfigAnnotation, file)
		case file != "" && !exists(file):
			return "", fmt.Errorf("annotations.%s: %s: %w", ConfigAnnotation, file, unix.ENOENT)
		}
		return file, nil
	}
	for _, file := range ConfigFiles {
		if exists(file) {
			return file, nil
		}
	}
	return "", nil
}

// namespaceWord returns the word that CRIU has for the specification's kind of namespace. It is no map, which every
// start of the program would have to make.
func namespaceWord(kind string) string {
	switch kind {
	case "network":
		return "net"
	case "mount":
		return "mnt"
	}
	return kind
}

// external returns the name in the image, which is runc's, of a kind of namespace that CRIU leaves out of the image if
// it existed before the container; "" if it leaves none of that kind out.
func external(kind string) string {
	switch kind {
	case "network":
		return "extRootNetNS"
	case "pid":
		return "extRootPidNS"
	}
	return ""
}

// Container is a running container that is to be saved.
type Container struct {
	PID         int
	Rootfs      string // on the host
	Annotations map[string]string
	Joined      []Joined
	Mounts      []Mount // of the container, with its root as "/"
	HostMounts  []Mount // of this process
	Streams     []Stream
	Cgroup      bool   // it has a cgroup namespace of its own
	Freeze      string // directory of the group to freeze it with; empty: none
	HasConfig   func(string) bool
}

// Stream is one of the standard streams.
type Stream struct {
	Name string // from when the process was made, as in /proc/PID/fd
	// Mount and Inode are those of the regular file that it is now; zero: it is something else.
	Mount, Inode uint64
}

// outside reports whether a stream is a file that the container cannot reach by a path.
func (c *Container) outside(s Stream) bool {
	if s.Mount == 0 {
		return false
	}
	for _, m := range c.Mounts {
		if m.ID == s.Mount {
			return false
		}
	}
	return true
}

// StreamNames returns what the streams are called in the image: pipes as in /proc/PID/fd, files outside of the
// container as CRIU calls them.
func (c *Container) StreamNames() []string {
	names := make([]string, len(c.Streams))
	for i, s := range c.Streams {
		names[i] = s.Name
		if c.outside(s) {
			names[i] = fmt.Sprintf("file[%x:%x]", s.Mount, s.Inode)
		}
	}
	return names
}

// Joined is a namespace that existed before the container.
type Joined struct {
	Kind  string // as in the specification
	Inode uint64
}

// Checkpoint returns the options of a dump, or with --pre-dump of a pre-dump. The descriptors of the directories are
// the caller's to set.
func Checkpoint(f *Flags, c *Container) (*criu.Options, error) {
	o, err := f.common()
	if err != nil {
		return nil, err
	}
	if o.PageServer, err = pageServer(f.PageServer); err != nil {
		return nil, err
	}
	o.LogFile, o.Root, o.PID = DumpLog, c.Rootfs, int32(c.PID)
	o.LeaveRunning, o.TCPSkipInFly, o.LinkRemap = f.LeaveRunning, f.TCPSkipInFlight, f.LinkRemap
	o.FreezeCgroup = c.Freeze
	if o.ConfigFile, err = configFile(c.Annotations, c.HasConfig); err != nil {
		return nil, err
	}
	o.ParentImage = f.ParentPath
	o.TrackMemory = f.PreDump || f.ParentPath != ""
	for _, j := range c.Joined {
		if key := external(j.Kind); key != "" {
			o.External = append(o.External, fmt.Sprintf("%s[%d]:%s", namespaceWord(j.Kind), j.Inode, key))
		}
	}
	if f.PreDump {
		return o, nil
	}
	for i, name := range c.StreamNames() {
		if c.outside(c.Streams[i]) && !slices.Contains(o.External, name) {
			o.External = append(o.External, name)
		}
	}
	o.ExternalMounts = externalMounts(c)
	return o, nil
}

// Bundle is what a container is restored from beside its image.
type Bundle struct {
	Root        string // the root file system as a mount point
	Annotations map[string]string
	Joins       []Join
	Binds       []Bind   // from the host
	Devices     []string // paths of nodes that may be bound from the host
	Cgroups     []criu.CgroupRoot
	Streams     []string // the names in the image
	HasConfig   func(string) bool
}

// Join is a namespace that the restored container is put into.
type Join struct {
	Kind, Path string
	FD         int32 // of the opened file in CRIU, for the kinds that need it
}

// NeedsFD reports whether CRIU wants a namespace of this kind as an open file.
func NeedsFD(kind string) bool { return external(kind) != "" }

// Bind is a mount point of the container and its source on the host.
type Bind struct{ Destination, Source string }

// Restore returns the options of a restore. The descriptors of the directories are the caller's to set.
func Restore(f *Flags, b *Bundle) (*criu.Options, error) {
	o, err := f.common()
	if err != nil {
		return nil, err
	}
	o.LogFile, o.Root = RestoreLog, b.Root
	o.EvasiveDevices, o.RestoreSibling = true, true
	o.TCPClose, o.LSMProfile, o.LSMMount = f.TCPClose, f.LSMProfile, f.LSMContext
	if o.ConfigFile, err = configFile(b.Annotations, b.HasConfig); err != nil {
		return nil, err
	}
	if len(b.Streams) > standardStreams {
		return nil, fmt.Errorf("%s: %d names; want those of the %d standard streams at most", Streams, len(b.Streams),
			standardStreams)
	}
	o.CgroupRoots = b.Cgroups
	for _, j := range b.Joins {
		switch {
		case NeedsFD(j.Kind):
			o.InheritFDs = append(o.InheritFDs, criu.InheritFD{Key: external(j.Kind), FD: j.FD})
		case j.Kind == "cgroup":
			return nil, errors.New("linux.namespaces: CRIU cannot restore into a cgroup namespace that exists; leave out its " +
				"path")
		default:
			o.JoinNS = append(o.JoinNS, criu.JoinNS{Type: namespaceWord(j.Kind), File: j.Path})
		}
	}
	for i, name := range b.Streams {
		if strings.HasPrefix(name, "pipe:") || strings.HasPrefix(name, "file[") {
			o.InheritFDs = append(o.InheritFDs, criu.InheritFD{Key: name, FD: int32(i)})
		}
	}
	for _, m := range b.Binds {
		o.ExternalMounts = append(o.ExternalMounts, criu.ExternalMount{Key: path.Clean(m.Destination), Value: m.Source})
	}
	for _, d := range append([]string{nullDevice}, b.Devices...) {
		if !mapped(o.ExternalMounts, d) {
			o.ExternalMounts = append(o.ExternalMounts, criu.ExternalMount{Key: d, Value: d})
		}
	}
	return o, nil
}

func mapped(all []criu.ExternalMount, key string) bool {
	for _, m := range all {
		if m.Key == key {
			return true
		}
	}
	return false
}
