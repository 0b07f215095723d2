package nsinit

import "golang.org/x/sys/unix"

// hostPropagation is what linux.rootfsPropagation makes of the host's mounts in the container's mount namespace, before
// anything is mounted there: it decides which events binds of them send and receive. Without a value they are slaves,
// so what the host mounts below a bind's source arrives and nothing that the container mounts leaves, as with runc.
// A mount that is unbindable could not be bound, so the host's mounts are private for that.
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

// mayShare says whether a mount of the host's may still be shared with the host after hostPropagation.
func mayShare(root uint64) bool {
	propagation, recursive := hostPropagation(root)
	return !recursive || propagation == unix.MS_SHARED
}

// rootPropagation is what the container's root becomes when all is mounted. The root alone: what is mounted below it
// has been given what its own options ask for. Zero: it stays what it is, for slave and private were decided when the
// host's mount became so.
func rootPropagation(root uint64) uint64 {
	if p := root &^ unix.MS_REC; p == unix.MS_SHARED || p == unix.MS_UNBINDABLE {
		return p
	}
	return 0
}

// propagations are the changes that a mount's propagation asks for, one after another: slave and shared together make a
// mount that passes on what it receives.
func propagations(p uint64) []uint64 {
	switch p &^= unix.MS_REC; p {
	case 0:
		return nil
	case unix.MS_SLAVE | unix.MS_SHARED:
		return []uint64{unix.MS_SLAVE, unix.MS_SHARED}
	}
	return []uint64{p}
}
