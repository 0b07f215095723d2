package main

// command is a row of the table of commands, from which parsing, help, completion and manual pages are made.
type command struct {
	name    string
	args    string // as the help shows them
	min     int    // number of arguments
	max     int    // negative: any
	summary string
	details string
	options []option
	// build makes options when the command is called or described; nil: it has none, or they are there
	build  func() []option
	passes bool // options after the first argument are somebody else's
	// makesProcess says that the command starts a container's process, for which it has several threads at once.
	makesProcess bool
	// slow says that people may wait for the command for more than a second: then it shows its phase on a terminal.
	slow bool
	run  func(*invocation) (status int, err error)
}

func globalOptions() []option {
	return []option{
		{"root", "", "DIR", "where the state of containers is stored; it should be on a tmpfs (default /run/handfast, or " +
			"$XDG_RUNTIME_DIR/handfast for a plain user)",
			func(s *settings) any { return &s.root }},
		{"log", "", "FILE", "append log lines to FILE, or send them to journald:NAME or syslog:NAME " +
			"(default: errors and warnings go to standard error)",
			func(s *settings) any { return &s.log }},
		{"log-format", "", "FORMAT", "text, or json: one object a line with level, msg and time",
			func(s *settings) any { return &s.logFormat }},
		{"log-level", "", "LEVEL", "the lowest level that is logged: error, warning (the default) or debug",
			func(s *settings) any { return &s.logLevel }},
		{"debug", "", "", "also log what is being done: --log-level debug", func(s *settings) any { return &s.debug }},
		{"rootless", "", "WHEN", "true, false or auto: whether to go on without cgroups that may not be created, if no " +
			"limit was requested (default auto: for a plain user)",
			func(s *settings) any { return &s.rootless }},
		{"cgroup-manager", "", "WHO", "who creates cgroups: cgroupfs (the default: this program), systemd, or disabled " +
			"(nobody: containers stay in the caller's cgroup, and limits are refused)",
			func(s *settings) any { return &s.cgroupManager }},
		{"systemd-cgroup", "", "", "let systemd create the cgroups, as with --cgroup-manager systemd; cgroupsPath is then " +
			"slice:prefix:name", func(s *settings) any { return &s.systemdCgroup }},
		traceOption(),
		helpOption(),
		{"version", "v", "", "print the version", func(s *settings) any { return &s.version }},
	}
}

func helpOption() option {
	return option{"help", "h", "", "print this help", func(s *settings) any { return &s.help }}
}

// createOptions are those of create and run.
func createOptions() []option {
	return []option{
		{"bundle", "b", "DIR", "the bundle: the directory that holds config.json (default: the working directory)",
			func(s *settings) any { return &s.bundle }},
		{"config", "f", "FILE", "take the configuration from FILE, in place of the bundle's config.json",
			func(s *settings) any { return &s.config }},
		{"pid-file", "", "FILE", "write the process id of the container to FILE, atomically and before this command ends",
			func(s *settings) any { return &s.pidFile }},
		{"console-socket", "", "SOCKET", "send the master of the container's terminal over this Unix socket",
			func(s *settings) any { return &s.consoleSocket }},
		pidfdSocketOption(),
		{"preserve-fds", "", "N", "pass N descriptors to the container beside the standard streams, from 3 on",
			func(s *settings) any { return &s.preserveFDs }},
		{"no-pivot", "", "", "move the root and chroot in place of pivot_root, for a root on a ramdisk",
			func(s *settings) any { return &s.noPivot }},
		{"no-new-keyring", "", "", "keep the caller's session keyring, with the keys in it, instead of making one",
			func(s *settings) any { return &s.noNewKeyring }},
		traceOption(),
	}
}

func pidfdSocketOption() option {
	return option{"pidfd-socket", "", "SOCKET", "send a descriptor of the process over this Unix socket",
		func(s *settings) any { return &s.pidfdSocket }}
}

func traceOption() option {
	return option{"trace", "", "FILE", "append what the command does to FILE, for the command trace to show",
		func(s *settings) any { return &s.trace }}
}

func runOptions() []option {
	return append(createOptions(),
		option{"detach", "d", "", "return once the container runs, and leave it running",
			func(s *settings) any { return &s.detach }},
		option{"keep", "", "", "keep the container's state after it has ended, until delete",
			func(s *settings) any { return &s.keep }},
		option{"no-subreaper", "", "", "do not adopt and reap the processes that the container leaves behind",
			func(s *settings) any { return &s.noSubreaper }})
}

func execOptions() []option {
	return []option{
		{"process", "p", "FILE", "the process as JSON, in the form of config.json's process; - is standard input",
			func(s *settings) any { return &s.processFile }},
		{"cwd", "", "DIR", "working directory in the container", func(s *settings) any { return &s.cwd }},
		{"env", "e", "NAME=VALUE", "add to the environment; may be repeated", func(s *settings) any { return &s.env }},
		{"user", "u", "UID[:GID]", "run as this user, in numbers of the container", func(s *settings) any { return &s.user }},
		{"additional-gids", "g", "GID", "add a supplementary group; may be repeated",
			func(s *settings) any { return &s.additionalGIDs }},
		{"cap", "c", "CAP", "add a capability, but not to the inheritable set; may be repeated",
			func(s *settings) any { return &s.caps }},
		{"no-new-privs", "", "", "set no_new_privs: no program executed gains privileges",
			func(s *settings) any { return &s.noNewPrivs }},
		{"tty", "t", "", "give the process a terminal of the container", func(s *settings) any { return &s.tty }},
		{"console-socket", "", "SOCKET", "send the master of the process's terminal over this Unix socket",
			func(s *settings) any { return &s.consoleSocket }},
		pidfdSocketOption(),
		{"detach", "d", "", "return once the process has been executed, and leave it running",
			func(s *settings) any { return &s.detach }},
		{"pid-file", "", "FILE", "write the process id, as the host sees it, to FILE, atomically and before this " +
			"command ends",
			func(s *settings) any { return &s.pidFile }},
		{"preserve-fds", "", "N", "pass N descriptors to the process beside the standard streams, from 3 on",
			func(s *settings) any { return &s.preserveFDs }},
		{"ignore-paused", "", "", "exec in a paused container too: the process goes on when the container does",
			func(s *settings) any { return &s.ignorePaused }},
		{"cgroup", "", "PATH", "run in this group below the container's; CONTROLLER:PATH names it in one hierarchy of v1; " +
			"may be repeated", func(s *settings) any { return &s.execCgroups }},
		{"process-label", "", "LABEL", "SELinux label of the process", func(s *settings) any { return &s.processLabel }},
		{"apparmor", "", "PROFILE", "AppArmor profile of the process", func(s *settings) any { return &s.apparmor }},
		traceOption(),
	}
}

func regexOption(what string) option {
	return option{"regex", "r", "", "ID is an extended regular expression: " + what +
		" every container whose id it matches; if there is none, that is not an error",
		func(s *settings) any { return &s.regex }}
}

func formatOption(what string) option {
	return option{"format", "f", "FORMAT", what, func(s *settings) any { return &s.format }}
}

// commands are all rows with their options, for those who describe them.
func commands() []command {
	all := commandTable()
	for i := range all {
		all[i].complete()
	}
	return all
}

// complete makes the options of a row that has them built.
func (c *command) complete() {
	if c.build != nil {
		c.options, c.build = c.build(), nil
	}
}

func commandTable() []command {
	return []command{
		{name: "create", args: "ID", min: 1, max: 1, summary: "create a container",
			details: "Sets up everything that the bundle's config.json says, and stops before the process is executed: " +
				"start does that.",
			build: func() []option {
				// crun has the option for create too, without an effect.
				return append(createOptions(), option{name: "no-subreaper", into: func(s *settings) any { return &s.noSubreaper }})
			}, makesProcess: true, run: (*invocation).create},
		{name: "start", args: "ID", min: 1, max: 1, summary: "execute the process of a created container",
			details: "Returns once the process has been executed; an error of the execution itself is reported here.",
			build:   func() []option { return []option{traceOption()} }, run: (*invocation).start},
		{name: "run", args: "ID", min: 1, max: 1, summary: "create a container and start it",
			details: "In the foreground: forwards signals, shows the terminal, and ends with the status of the process, 128 " +
				"and the signal's number if a signal ended it. Then the container is deleted.",
			build: runOptions, makesProcess: true, run: (*invocation).run},
		{name: "exec", args: "ID [COMMAND [ARG...]]", min: 1, max: -1, passes: true,
			summary: "execute one more process in a running container",
			details: "The process is that of the container's configuration, or of --process, with COMMAND and the other " +
				"options over it. In the foreground ends with its status; 255 if it could not be started.",
			build: execOptions, makesProcess: true, run: (*invocation).exec},
		{name: "state", args: "ID", min: 1, max: 1, summary: "print the state of a container as JSON",
			run: (*invocation).state},
		{name: "kill", args: "ID [SIGNAL]", min: 1, max: 2, summary: "send a signal to a container",
			details: "SIGNAL is a name with or without SIG, or a number; TERM without one. KILL ends all processes of the " +
				"container, even without a pid namespace of its own, and also those that its first process has left behind.",
			build: func() []option {
				return []option{{"all", "a", "", "send the signal to every process of the container; if there is none, that is " +
					"not an error",
					func(s *settings) any { return &s.all }}, regexOption("send it to")}
			},
			slow: true, run: (*invocation).kill},
		{name: "delete", args: "ID...", min: 1, max: -1, summary: "remove what is left of containers",
			details: "A container must be stopped, or created and never started.",
			build: func() []option {
				return []option{{"force", "f", "", "kill the container if it runs; if it does not exist, that is not an error",
					func(s *settings) any { return &s.force }},
					regexOption("remove"), traceOption()}
			},
			slow: true, run: (*invocation).delete},
		{name: "list", summary: "list the containers of this root directory",
			build: func() []option {
				return []option{formatOption("table or json (default table)"), {"quiet", "q", "", "print ids only",
					func(s *settings) any { return &s.quiet }}}
			},
			run: (*invocation).list},
		{name: "pause", args: "ID", min: 1, max: 1, summary: "stop the processes of a running container where they are",
			slow: true, run: (*invocation).pause},
		{name: "resume", args: "ID", min: 1, max: 1, summary: "let the processes of a paused container go on",
			slow: true, run: (*invocation).resume},
		{name: "ps", args: "ID [PS-OPTIONS...]", min: 1, max: -1, summary: "list the processes of a container",
			details: "The table is that of ps(1), with its options (default -ef), reduced to the container's processes.",
			build: func() []option {
				return []option{formatOption("table, or json: an array of process ids as the host sees them (default table)")}
			},
			passes: true, run: (*invocation).ps},
		{name: "update", args: "ID", min: 1, max: 1, summary: "change the limits of a container",
			details: "Limits that are not named stay as they are. If the kernel refuses one, all of them stay as they were.",
			build:   updateOptions, run: (*invocation).update},
		{name: "events", args: "[ID...]", max: -1, summary: "show statistics and events of containers",
			details: "As JSON, about one container, prints a line for each until it ends: its statistics at every interval, " +
				"out-of-memory when it happens, and pressure with --pressure. The table is for people: a line for each of the " +
				"containers, or of all that run, at every interval, in place on a terminal. As openmetrics prints the metrics of " +
				"the containers, or of all, once.",
			build: func() []option {
				return []option{
					formatOption("json, table or openmetrics (default json)"),
					{"output", "o", "FILE", "write openmetrics to FILE, atomically, instead of to standard output",
						func(s *settings) any { return &s.output }},
					{"interval", "", "DURATION", "time between two readings of the statistics, such as 5s or 200ms (default 5s, " +
						"and 1s for the table)",
						func(s *settings) any { return &s.interval }},
					{"stats", "", "", "print the statistics once, and end", func(s *settings) any { return &s.once }},
					{"pressure", "", "TRIGGERS", "tell when tasks stall: RESOURCE=STALL/WINDOW with cpu, memory or io, such as " +
						"memory=150ms/2s,io:full=100ms/2s",
						func(s *settings) any { return &s.pressure }},
				}
			}, run: (*invocation).events},
		{name: "checkpoint", args: "ID", min: 1, max: 1, summary: "save the processes of a container in files", slow: true,
			details: "CRIU saves them; the program criu must be in $PATH. Then the container has ended and is deleted, unless " +
				"--leave-running or --pre-dump is given. After an error it goes on.",
			build: checkpointOptions, run: (*invocation).checkpoint},
		{name: "restore", args: "ID", min: 1, max: 1, summary: "make a container from files of checkpoint",
			details: "The bundle is that of the container that was saved, or one like it. In the foreground it behaves as run " +
				"does.",
			build: restoreOptions, makesProcess: true, run: (*invocation).restore},
		{name: "mounts", args: "add|remove ID FILE", min: 3, max: 3,
			summary: "add mounts to a running container, or remove them",
			details: "FILE holds mounts as config.json does, as a list or as the member mounts of an object. " +
				"Only mounts that were added can be removed; they are found by their destination.",
			run: (*invocation).mounts},
		{name: "spec", summary: "write a config.json to start from",
			details: "Refuses to overwrite one.",
			build: func() []option {
				return []option{
					{"bundle", "b", "DIR", "where to write it (default: the working directory)",
						func(s *settings) any { return &s.bundle }},
					{"file", "f", "FILE", "the file to write; a relative path starts there (default: config.json)",
						func(s *settings) any { return &s.config }},
					{"rootless", "", "", "write one for a plain user, with a user namespace",
						func(s *settings) any { return &s.rootlessSpec }},
				}
			}, run: (*invocation).spec},
		{name: "seccomp", args: "[FILE [ARG...]]", max: -1, summary: "show a seccomp profile, and what it does with a call",
			details: "FILE is a config.json, or a file with its linux.seccomp alone; - is standard input. With --call the " +
				"arguments of the " +
				"call follow, 0 where there are none; with --profile-of there is no FILE.",
			build: func() []option {
				return []option{
					{"call", "", "NAME", "show what happens to the system call of this name or number, and which rule decides",
						func(s *settings) any { return &s.call }},
					{"arch", "", "ARCH", "with --call: the architecture that makes the call, such as x86 or x32 (default: the host's)",
						func(s *settings) any { return &s.arch }},
					{"profile-of", "", "ID", "take the profile that this container was made with",
						func(s *settings) any { return &s.profileOf }},
					formatOption("rules, tree (the decisions), program (the instructions) or all (default all)"),
				}
			}, run: (*invocation).seccomp},
		{name: "trace", args: "FILE...", min: 1, max: -1, summary: "show the commands that --trace has recorded",
			details: "Shows the commands of all files in the order in which they began, with their phases and their " +
				"conversations with the container's process. FILE - is standard input. Environments and arguments are not in " +
				"a trace.",
			build: func() []option {
				return []option{
					formatOption("timeline, json (one object a line), mermaid, svg or chrome (trace events); or transcript: one " +
						"conversation as it was recorded, for programs that replay it (default timeline)"),
					{"conversation", "", "N", "with --format transcript: which of several conversations, from 1 on",
						func(s *settings) any { return &s.conversation }},
					{"output", "o", "FILE", "write to FILE instead of standard output", func(s *settings) any { return &s.output }},
				}
			}, run: (*invocation).showTrace},
		{name: "conformance", args: "-- COMMAND [ARG...]", min: 1, max: -1,
			summary: "test a child of the protocol in any language",
			details: "COMMAND is started anew for each conformance vector, with its end of the socket in HANDFAST_SOCKET, as " +
				"docs/protocol.md says. Prints a line for each; fails if one of them fails.",
			build: func() []option {
				return []option{
					{"tap", "", "", "print the Test Anything Protocol", func(s *settings) any { return &s.tap }},
					{"run", "", "TEXT", "take only vectors whose name contains TEXT", func(s *settings) any { return &s.match }},
					{"socket", "", "TYPE", "stream, seqpacket or both (default both)", func(s *settings) any { return &s.socket }},
					{"timeout", "", "SECONDS", "the longest wait for the child (default 5)",
						func(s *settings) any { return &s.timeout }},
				}
			}, run: (*invocation).conformance},
		{name: "features", summary: "print what this runtime can do, for engines that ask",
			details: "The form is that of the specification's features.md. It is about the program and not about the host, " +
				"but for seccomp's supportedFlags.",
			run: (*invocation).features},
		{name: "info", summary: "print what this runtime finds on the host",
			build: func() []option { return []option{formatOption("text, or json (default text)")} }, run: (*invocation).info},
		{name: "version", summary: "print the version", run: (*invocation).showVersion},
		{name: "completion", args: "SHELL", min: 1, max: 1, summary: "print a script that completes command lines",
			details: "SHELL is bash, zsh or fish; the script's first lines say where it belongs.",
			run:     (*invocation).completion},
		{name: "man", args: "[COMMAND]", max: 1, summary: "print a page of the manual, for man -l",
			build: func() []option {
				return []option{{"output", "o", "DIR", "write every page to a file in the directory DIR, as packages want it",
					func(s *settings) any { return &s.output }}}
			}, run: (*invocation).man},
		{name: "help", args: "[COMMAND]", max: 1, summary: "print the help of a command", run: (*invocation).helpCommand},
	}
}

// commandByName returns the row of the command with this name.
func commandByName(name string) (command, bool) {
	for _, c := range commandTable() {
		if c.name == name {
			c.complete()
			return c, true
		}
	}
	return command{}, false
}
