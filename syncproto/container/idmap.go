package container

// MountIDs maps the owners of the files on a mount to other ids, mount_setattr(2) with MOUNT_ATTR_IDMAP. That requires
// privileges over the file system, which a child in a user namespace does not have, so the parent makes such a mount,
// including the file system if it is a new one. If both lists are empty, the mappings of the child's own user namespace
// apply.
type MountIDs struct {
	UIDs      []IDRange `sync:"uids"`
	GIDs      []IDRange `sync:"gids"`
	Recursive bool      `sync:"recursive,omitempty"` // with all mounts below the source
}

// IDRange is a range of ids of the file system, and the host's ids that they are shown as.
type IDRange struct {
	Container uint32 `sync:"container"` // first id of the file system
	Host      uint32 `sync:"host"`      // first id of the host
	Size      uint32 `sync:"size"`
}
