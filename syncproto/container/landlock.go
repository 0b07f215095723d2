package container

// Landlock is what the program may do of what the kernel's Landlock rules govern, landlock(7). It comes on top of all
// else that the process may not do, holds for every process that the program makes, and cannot be taken back.
type Landlock struct {
	// LANDLOCK_ACCESS_FS_* of <linux/landlock.h> that are forbidden but where a path allows them
	FS uint64 `sync:"fs,omitempty"`
	// LANDLOCK_ACCESS_NET_* that are forbidden but where a port allows them
	Net uint64 `sync:"net,omitempty"`
	// LANDLOCK_SCOPE_* that end at the program and what it makes
	Scoped uint64         `sync:"scoped,omitempty"`
	Paths  []LandlockPath `sync:"paths,omitempty"`
	Ports  []LandlockPort `sync:"ports,omitempty"`
}

// LandlockPath allows accesses to a file, or to everything below a directory.
type LandlockPath struct {
	Path   string `sync:"path"`   // absolute inside the container; a link is followed
	Access uint64 `sync:"access"` // some of those in FS; of a file those that only a directory has mean nothing
}

// LandlockPort allows accesses to a port.
type LandlockPort struct {
	Port   uint16 `sync:"port"`
	Access uint64 `sync:"access"` // some of those in Net
}
