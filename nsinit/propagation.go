package nsinit

import "golang.org/x/sys/unix"

// hostPropagation returns the propagation that linux.rootfsPropagation gives to the host's mounts in the
// container's mount namespace, before anything is mounted there. It decides which events bind mounts of them send
// and receive. By default they are slaves: what the host mounts below the source of a bind mount arrives, and
// nothing that the container mounts gets out, as with runc. An unbindable mount could not be bound, so for that
// value the host's mounts are private.
func hostPropagation(root uint64) (propagation uint64, recursive bool) {
	recursive = root&unix.MS_REC != 0
	switch root &^ unix.MS_REC {
	case 0:
		return unix.MS_SLAVE, true
	case unix.MS_UNBINDABLE:
		return unix.MS_PRIVATE, recursive
	}
	return root &^ unix.MS_REC, recursive
}

// mayShare reports whether a mount of the host may still be shared with the host after hostPropagation.
func mayShare(root uint64) bool {
	propagation, recursive := hostPropagation(root)
	return !recursive || propagation == unix.MS_SHARED
}

// sharesAll reports whether every mount of the host is shared after hostPropagation, whatever it was before.
func sharesAll(root uint64) bool { return root == unix.MS_SHARED|unix.MS_REC }

// rootPropagation returns the propagation that the container's root gets when everything is mounted. It is for the
// root alone: the mounts below it have the propagation of their own options. Zero means that the root stays as it
// is, because slave and private were decided by the change of the host's mount.
func rootPropagation(root uint64) uint64 {
	if p := root &^ unix.MS_REC; p == unix.MS_SHARED || p == unix.MS_UNBINDABLE {
		return p
	}
	return 0
}

// propagations returns the changes for a mount's propagation, in order. Slave and shared together make a mount that
// passes on what it receives.
func propagations(p uint64) []uint64 {
	switch p &^= unix.MS_REC; p {
	case 0:
		return nil
	case unix.MS_SLAVE | unix.MS_SHARED:
		return []uint64{unix.MS_SLAVE, unix.MS_SHARED}
	}
	return []uint64{p}
}
