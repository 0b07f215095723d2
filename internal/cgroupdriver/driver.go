package cgroupdriver

import (
	"context"
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/log"
)

// The names of the drivers, as --cgroup-manager takes them. The empty name is Filesystem.
const (
	Filesystem = "cgroupfs" // this program makes the groups, by package cgroupfs
	Systemd    = "systemd"  // systemd makes them, as a unit of its own for each container
	None       = "disabled" // nobody does: containers stay in the groups of this process
)

// Driver makes the group of one container. Its methods are called in the order in which they stand here, by one
// goroutine; Undo and Close at any point. It owns the group's descriptors and its connections until Close.
type Driver interface {
	// UnitBase is the group below which systemd makes units; ok is false for a driver that makes none.
	UnitBase() (base string, ok bool)

	// Plan decides what will be done and keeps it for the methods below. Nothing is made. Its errors are ConfigErrors,
	// but for one: limits where no group is made.
	Plan(Request) (*Plan, error)

	// Intend finds out what Make will make, for the first Record that is stored. If this process is killed during Make,
	// Existing.Remove removes every directory that Make has made by then, and none that was there before.
	Intend() (Record, error)

	// Make makes what must exist before the container's process, and says where that begins.
	Make() (Place, error)

	// Join moves the process into the group, for one that has begun outside of it: with the Place Joins always, and
	// with Begins if it could not be cloned into the group. The process waits meanwhile.
	Join(ctx context.Context, pid int) error

	// Limit sets the limits, for a process that is in the group by now and waits to be told what to do: so this process
	// works while that one is being started. Whoever runs on the container's behalf finds the limits set.
	Limit() error

	// Finish sets the limits that would have kept the child from starting. It comes before the first hook and before
	// the container's program; to call it again does nothing.
	Finish(ctx context.Context) error

	// Group is the container's group: nil before it was made, and where there is none.
	Group() *cgroupfs.Group

	// Undo ends what is in the group, and removes all that was made.
	Undo() error

	// Close gives up descriptors and connections; the group stays.
	Close()
}

// Place is where a container's first process begins.
type Place int

// The places.
const (
	Stays  Place = iota // in the groups of this process, for good: the container has none of its own
	Begins              // in its group, from its first moment
	Joins               // in the groups of this process, until Join moves it
)

// String is the constant's name.
func (p Place) String() string { return [...]string{"Stays", "Begins", "Joins"}[p] }

// Request is what is wanted of a container's group.
type Request struct {
	Path        string // absolute, below the root of every hierarchy
	PathGiven   bool   // the configuration names it
	Limits      cgroupfs.Resources
	Owner       int               // user id on the host who is to own the group; negative or 0: root
	Unit        systemd.Unit      // for the systemd driver; the others ignore it
	Annotations map[string]string // the same: properties of the unit
}

// Record is what must be stored of a group, for other commands to find it. The zero Record is no group.
type Record struct {
	Path string // empty: no group yet, or none of its own
	Made int    // how many of the path's last components were made for it, see cgroupfs.Saved
	// Intent is what is about to be made; nil from when Path is stored.
	Intent   *cgroupfs.Intent
	Limits   *cgroupfs.Resources // that were set, for a later update; nil: none. Existing does not look at it
	Unit     systemd.Unit        // that holds the group; without a name: systemd has nothing to do with it
	UserUnit bool                // Unit is one of the user's own systemd
}

// ConfigError is about a property of the container's configuration, whose file the caller can name.
type ConfigError struct{ Err error }

// Error is the text of Err.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *ConfigError) Unwrap() error { return e.Err }

func inConfig(format string, args ...any) error { return &ConfigError{fmt.Errorf(format, args...)} }

// Options are the arguments of Open.
type Options struct {
	Name   string // of the driver
	ID     string // the container's
	Layout *cgroupfs.Layout
	// Store makes a Record durable. A driver calls it before it does what the Record describes.
	Store func(Record) error
	User  bool // the user's own systemd, for one who is not root
	// Optional says that a container gets no group where this process may not make one, unless the Request names its
	// path or has limits.
	Optional bool
	Log      *log.Logger
}

// Open returns the driver of that name for one container. The systemd driver connects to systemd; the others touch
// nothing. The caller closes it.
func Open(o Options) (Driver, error) {
	switch o.Name {
	case "", Filesystem:
		return &filesystem{Options: o}, nil
	case Systemd:
		return openSystemd(o)
	case None:
		return &none{}, nil
	}
	return nil, fmt.Errorf("no cgroup driver is called %q: want %s, %s or %s", o.Name, Filesystem, Systemd, None)
}
