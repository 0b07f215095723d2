package container

// Landlock restricts the program by the kernel's Landlock rules, landlock(7). The restrictions add to all others, apply
// to every process that the program makes, and cannot be lifted.
type Landlock struct {
	// LANDLOCK_ACCESS_FS_* of <linux/landlock.h> that are forbidden except where a path allows them
	FS uint64 `sync:"fs,omitempty"`
	// LANDLOCK_ACCESS_NET_* that are forbidden except where a port allows them
	Net uint64 `sync:"net,omitempty"`
	// LANDLOCK_SCOPE_* that are confined to the program and its children
	Scoped uint64         `sync:"scoped,omitempty"`
	Paths  []LandlockPath `sync:"paths,omitempty"`
	Ports  []LandlockPort `sync:"ports,omitempty"`
}

// LandlockPath allows accesses to a file, or to everything below a directory.
type LandlockPath struct {
	Path   string `sync:"path"`   // absolute inside the container; a link is followed
	Access uint64 `sync:"access"` // some of those in FS; accesses that only apply to directories have no effect on a file
}

// LandlockPort allows accesses to a port.
type LandlockPort struct {
	Port   uint16 `sync:"port"`
	Access uint64 `sync:"access"` // some of those in Net
}
