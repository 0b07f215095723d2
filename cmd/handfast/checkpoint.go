package main

import (
	"fmt"
	"strconv"

	"github.com/handfast/handfast/internal/lifecycle"
)

// criuOptions are those that checkpoint and restore share.
func criuOptions() []option {
	return []option{
		{"image-path", "", "DIR", "where the image files are (default: checkpoint in the working directory)",
			func(s *settings) any { return &s.criu.ImagePath }},
		{"work-path", "", "DIR", "where CRIU writes its log and other files (default: the directory of the image files)",
			func(s *settings) any { return &s.criu.WorkPath }},
		{"tcp-established", "", "", "allow established TCP connections",
			func(s *settings) any { return &s.criu.TCPEstablished }},
		{"ext-unix-sk", "", "", "allow Unix sockets that are connected with the outside",
			func(s *settings) any { return &s.criu.ExtUnixSk }},
		{"shell-job", "", "", "allow a terminal of the outside", func(s *settings) any { return &s.criu.ShellJob }},
		{"file-locks", "", "", "allow file locks", func(s *settings) any { return &s.criu.FileLocks }},
		{"lazy-pages", "", "", "leave the memory out, and fetch each page when it is used (userfaultfd)",
			func(s *settings) any { return &s.criu.LazyPages }},
		{"auto-dedup", "", "", "remove what is in the images twice", func(s *settings) any { return &s.criu.AutoDedup }},
		{"manage-cgroups-mode", "", "MODE", "what CRIU does about groups: soft, full, strict or ignore (default soft)",
			func(s *settings) any { return &s.criu.ManageCgroups }},
		{"empty-ns", "", "KIND", "network: leave the content of the network namespace out, which is done in any case",
			func(s *settings) any { return &s.criu.EmptyNS }},
		{"network-lock", "", "METHOD", "how packets are kept away meanwhile: iptables, nftables or skip (default iptables)",
			func(s *settings) any { return &s.criu.NetworkLock }},
	}
}

func checkpointOptions() []option {
	return append(criuOptions(),
		option{"leave-running", "", "", "let the container go on", func(s *settings) any { return &s.criu.LeaveRunning }},
		option{"pre-dump", "", "", "save the memory alone, and let the container go on; a later checkpoint names this one " +
			"by --parent-path", func(s *settings) any { return &s.criu.PreDump }},
		option{"parent-path", "", "DIR", "an earlier pre-dump, relative to --image-path: save only memory that has changed " +
			"since", func(s *settings) any { return &s.criu.ParentPath }},
		option{"page-server", "", "ADDRESS:PORT", "send the memory to the page server there; with --lazy-pages be the " +
			"page server", func(s *settings) any { return &s.criu.PageServer }},
		option{"status-fd", "", "FD", "with --lazy-pages: write a zero byte to this descriptor when the page server is " +
			"ready",
			func(s *settings) any { return &s.statusFD }},
		option{"tcp-skip-in-flight", "", "", "leave out TCP connections that are not established yet",
			func(s *settings) any { return &s.criu.TCPSkipInFlight }},
		option{"link-remap", "", "", "give open files without a name one",
			func(s *settings) any { return &s.criu.LinkRemap }})
}

func restoreOptions() []option {
	return append(criuOptions(),
		option{"bundle", "b", "DIR", "the bundle: the directory that holds config.json (default: the working directory)",
			func(s *settings) any { return &s.bundle }},
		option{"pid-file", "", "FILE", "write the process id of the container to FILE, atomically and before its processes " +
			"go on", func(s *settings) any { return &s.pidFile }},
		option{"console-socket", "", "SOCKET", "send the master of the container's terminal over this Unix socket",
			func(s *settings) any { return &s.consoleSocket }},
		option{"detach", "d", "", "return once the container runs, and leave it running",
			func(s *settings) any { return &s.detach }},
		option{"keep", "", "", "keep the container's state after it has ended, until delete",
			func(s *settings) any { return &s.keep }},
		option{"no-subreaper", "", "", "do not adopt and reap the processes that the container leaves behind",
			func(s *settings) any { return &s.noSubreaper }},
		option{"no-pivot", "", "", "has no effect: CRIU changes the root", func(s *settings) any { return &s.noPivot }},
		option{"tcp-close", "", "", "restore established TCP connections as closed ones",
			func(s *settings) any { return &s.criu.TCPClose }},
		option{"lsm-profile", "", "TYPE:NAME", "profile of a security module, such as apparmor:web, in place of the saved " +
			"one",
			func(s *settings) any { return &s.criu.LSMProfile }},
		option{"lsm-mount-context", "", "LABEL", "label of mounts in place of the saved one",
			func(s *settings) any { return &s.criu.LSMContext }})
}

func (in *invocation) checkpoint() (int, error) {
	fd := -1
	if in.statusFD != "" {
		var err error
		if fd, err = strconv.Atoi(in.statusFD); err != nil || fd < 0 {
			return failed, fmt.Errorf("--status-fd %q: want the number of a descriptor", in.statusFD)
		}
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return 0, r.Checkpoint(interruptible(), lifecycle.CheckpointOptions{ID: in.args[0], Flags: in.criu, StatusFD: fd})
}

func (in *invocation) restore() (int, error) {
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	return r.Restore(interruptible(), lifecycle.RestoreOptions{
		CreateOptions: in.createOptions(), Flags: in.criu, Detach: in.detach, Keep: in.keep, NoSubreaper: in.noSubreaper,
	})
}
