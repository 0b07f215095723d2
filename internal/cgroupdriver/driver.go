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
	Filesystem = "cgroupfs" // this program makes the groups, with package cgroupfs
	Systemd    = "systemd"  // systemd makes them, as one unit for each container
	None       = "disabled" // no groups: containers stay in the groups of this process
)

// Driver makes the group of one container. One goroutine calls its methods in the order in which they are listed
// here; Undo and Close may be called at any point. A Driver owns the group's descriptors and its connections until
// Close.
type Driver interface {
	// UnitBase returns the group below which systemd makes units; ok is false for a driver that makes none.
	UnitBase() (base string, ok bool)

	// Plan decides what will be done and keeps that for the methods below. It makes nothing. Its errors are
	// ConfigErrors, except if limits are requested where no group is made.
	Plan(Request) (*Plan, error)

	// Intend determines what Make will make, for the first Record that is stored. If this process is killed during
	// Make, Existing.Remove removes every directory that Make has made by then, and none that existed before.
	Intend() (Record, error)

	// Make makes what must exist before the container's process, and returns where the process begins.
	Make() (Place, error)

	// Join moves the process into the group if it has begun outside of it: always with the Place Joins, and with
	// Begins if it could not be cloned into the group. The process waits meanwhile.
	Join(ctx context.Context, pid int) error

	// Limit sets the limits. The process is in the group by now and waits for its configuration, so this process
	// works while that one is being started. Everything that runs on the container's behalf finds the limits set.
	Limit() error

	// Finish sets the limits that would have kept the child from starting. It is called before the first hook and
	// before the container's program; a second call does nothing.
	Finish(ctx context.Context) error

	// Group returns the container's group. It is nil before the group was made, and if there is none.
	Group() *cgroupfs.Group

	// Undo ends the processes in the group, and removes everything that was made.
	Undo() error

	// Close closes descriptors and connections; the group stays.
	Close()
}

// Place is where a container's first process begins.
type Place int

// The places.
const (
	Stays  Place = iota // in the groups of this process, permanently: the container has none of its own
	Begins              // in its group, from the start
	Joins               // in the groups of this process, until Join moves it
)

// String returns the constant's name.
func (p Place) String() string { return [...]string{"Stays", "Begins", "Joins"}[p] }

// Request describes the group that a container is to get.
type Request struct {
	Path        string // absolute, below the root of every hierarchy
	PathGiven   bool   // the configuration names it
	Limits      cgroupfs.Resources
	Owner       int               // user on the host that is to own the group; negative or 0: root
	Unit        systemd.Unit      // for the systemd driver; the others ignore it
	Annotations map[string]string // likewise for the systemd driver: properties of the unit
}

// Record is what must be stored about a group so that other commands can find it. The zero Record means no group.
type Record struct {
	Path string // empty: no group yet, or none of its own
	Made int    // number of the path's last components that were made for it, see cgroupfs.Saved
	// Intent is what is about to be made; nil once Path is stored.
	Intent   *cgroupfs.Intent
	Limits   *cgroupfs.Resources // set limits, for a later update; nil: none. Existing does not use it
	Unit     systemd.Unit        // the unit of the group; without a name: not made by systemd
	UserUnit bool                // Unit belongs to the user's own systemd
}

// ConfigError is an error of a property of the container's configuration. The caller can add the name of the file.
type ConfigError struct{ Err error }

// Error returns the text of Err.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ConfigError) Unwrap() error { return e.Err }

func inConfig(format string, args ...any) error { return &ConfigError{fmt.Errorf(format, args...)} }

// Options are the arguments of Open.
type Options struct {
	Name   string // the driver's
	ID     string // the container's
	Layout *cgroupfs.Layout
	// Store makes a Record durable. A driver calls it before it does what the Record describes.
	Store func(Record) error
	User  bool // use the user's own systemd, for a user who is not root
	// Optional lets a container go without a group where this process may not make one, unless the Request names
	// its path or has limits.
	Optional bool
	Log      *log.Logger
}

// Open returns the driver with the name in o for one container. The systemd driver connects to systemd; the others
// touch nothing. The caller closes the driver.
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
