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
	// Engines check this one before they offer checkpoints.
	annotationCheckpoint = "org.opencontainers.runc.checkpoint.enabled"
)

// Features returns what this runtime supports, for the command features.
func Features(version, commit string) *oci.Features {
	f := oci.KnownFeatures()
	f.Linux.Seccomp = &oci.SeccompFeatures{
		Enabled: true, Actions: seccomp.ActionNames(), Operators: seccomp.OpNames(), Archs: seccomp.ArchNames(),
		KnownFlags: seccomp.FlagNames(), SupportedFlags: supportedFlags(),
	}
	f.Annotations = map[string]string{annotationVersion: version, annotationCommit: commit, annotationCheckpoint: "true"}
	f.Unsafe = []string{systemd.AnnotationPrefix, systemd.SubAnnotation, oci.HookStdout, oci.HookStderr,
		oci.AnnotationKeepGroups}
	return f
}

// supportedFlags returns the flags that this kernel knows. Without a filter, seccomp(2) fails with EFAULT for a
// known flag and with EINVAL for an unknown one.
func supportedFlags() []string {
	var all []string
	for _, name := range seccomp.FlagNames() {
		flag := seccomp.FlagByName(name)
		if flag == seccomp.FlagWaitKillableRecv {
			flag |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // the flag requires a listener
		}
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flag), 0)
		if errors.Is(errno, unix.EFAULT) {
			all = append(all, name)
		}
	}
	return all
}
