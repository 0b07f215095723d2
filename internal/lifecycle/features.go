package lifecycle

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/seccomp"
)

// The annotations of Features.
const (
	annotationVersion = "org.handfast.version"
	annotationCommit  = "org.handfast.commit"
	// What engines look for before they offer checkpoints.
	annotationCheckpoint = "org.opencontainers.runc.checkpoint.enabled"
)

// Features is what this runtime can do, for the command features.
func Features(version, commit string) *oci.Features {
	f := oci.KnownFeatures()
	f.Linux.Seccomp = &oci.SeccompFeatures{
		Enabled: true, Actions: seccomp.ActionNames(), Operators: seccomp.OpNames(), Archs: seccomp.ArchNames(),
		KnownFlags: seccomp.FlagNames(), SupportedFlags: supportedFlags(),
	}
	f.Annotations = map[string]string{annotationVersion: version, annotationCommit: commit, annotationCheckpoint: "false"}
	f.Unsafe = []string{systemd.AnnotationPrefix, systemd.SubAnnotation, oci.HookStdout, oci.HookStderr}
	return f
}

// supportedFlags are the flags that this kernel knows: seccomp(2) with a known flag and no filter fails with EFAULT,
// with an unknown one with EINVAL.
func supportedFlags() []string {
	var all []string
	for _, name := range seccomp.FlagNames() {
		flag := seccomp.FlagByName(name)
		if flag == seccomp.FlagWaitKillableRecv {
			flag |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // it is about the listener
		}
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flag), 0)
		if errors.Is(errno, unix.EFAULT) {
			all = append(all, name)
		}
	}
	return all
}
