package main

// buildah returns the exercise of Buildah.
func buildah() manager {
	return manager{
		name:     "buildah",
		programs: []string{"buildah", "newuidmap", "setpriv", "script"},
		version:  "buildah --version",
		files:    map[string]string{"/etc/containers/containers.conf": containersConf},
		prepare:  plainUser + "buildah pull -q docker-archive:$ARCHIVE",
		lines:    prefixed(buildahPrelude, buildahLines),
	}
}

// In buildahPrelude, "inside" runs a command in the container w, "with" does so with options, and "layer" makes the
// image i of the lines of a Dockerfile, on standard input, that follow FROM.
const buildahPrelude = `
inside() { buildah run --runtime $RUNTIME w -- "$@"; }
with() { options=$1; shift; buildah run --runtime $RUNTIME $options w -- "$@"; }
volume() { echo "-v $1:$2:rw,$3"; }
privileged() { with "--cap-add CAP_SYS_ADMIN $1 $2 $3 $4" "$6" "$7" "$8"; }
layer() { { echo "FROM $IMAGE"; cat; } >/tmp/Dockerfile; mkdir -p /tmp/context; echo file >/tmp/context/file
	buildah build --runtime $RUNTIME --format docker -t i -f /tmp/Dockerfile "$@" /tmp/context 2>&1; }
`

var buildahLines = []line{
	{name: "from", command: `buildah from --name w $IMAGE; buildah containers --format '{{.ContainerName}}'`, says: "w",
		always: true},

	// What a process is.
	{name: "run", command: `inside echo hello`, says: "hello"},
	{name: "runtime of containers.conf", command: `buildah run w echo hello; buildah run w none`, says: "hello", status: 1},
	{name: "runtime of the environment", command: `BUILDAH_RUNTIME=$RUNTIME buildah run w echo hello`, says: "hello"},
	{name: "status", command: `inside sh -c 'exit 42'`, says: "42", status: 42},
	{name: "signal", command: `inside sh -c 'exec 2>/dev/null; sleep 9 & kill -9 $!; wait $!; exit $?'`, status: 137},
	{name: "standard error", command: `inside sh -c 'echo bad >&2' 2>&1 >/dev/null`, says: "bad"},
	{name: "standard input", command: `echo through | inside cat`, says: "through"},
	{name: "terminal", command: `in_terminal buildah run --runtime $RUNTIME -t w tty`, says: "/dev/"},
	{name: "environment", command: `with "-e A=1 -e B=" env | sort`, says: "A=1",
		alike: []normalizer{replacing("HOSTNAME=.*", "HOSTNAME=<name>")}},
	{name: "working directory", command: `with "--workingdir /tmp" pwd`, says: "/tmp"},
	{name: "user", command: `with "--user web" id`, says: "uid=1000(web)"},
	{name: "user and group by number", command: `with "--user 12:34" id`, says: "uid=12 gid=34"},
	{name: "hostname", command: `with "--hostname h" hostname`, says: "h"},
	{name: "limits of the process", command: `inside sh -c 'ulimit -n; ulimit -u'`, says: "4096", status: anyStatus},
	{name: "program not found", command: `inside none`, says: "not found in $PATH", status: 1},
	{name: "program missing", command: `inside /bin/none`, says: "no such file", status: 1},
	{name: "program is a directory", command: `inside /etc`, says: "/etc", status: 1},
	{name: "program not executable", command: `inside /etc/not-executable`, says: "permission denied", status: 1},
	{name: "interpreter missing", command: `inside /etc/no-interpreter`, says: "no such file", status: 1},
	{name: "working directory missing", command: `with "--workingdir /none" pwd`, status: anyStatus},

	// What confines it.
	{name: "confinement", command: `inside grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`, says: "Seccomp:\t2"},
	{name: "seccomp", command: `inside sh -c 'exec 2>&1; unshare -m true; unshare -U true; mount -t tmpfs none /tmp'`,
		says: "Operation not permitted", status: 1},
	{name: "capabilities", command: `with "--cap-add CAP_SYS_TIME --cap-drop CAP_CHOWN" sh -c ` +
		`'exec 2>&1; grep CapEff /proc/self/status; chown 1 /tmp'`, says: "Operation not permitted", status: 1},
	{name: "capabilities of a user", command: `with "--user web --cap-add CAP_NET_RAW" grep Cap /proc/self/status`,
		says: "CapAmb"},
	{name: "masked paths", command: `inside sh -c 'exec 2>&1; ls -A /proc/acpi /sys/firmware; wc -c </proc/keys'`, says: "0"},
	{name: "mounts", command: `inside sed "s/^overlay.*/overlay/;s/,size=[0-9]*k/,size/;s/,inode64//" /proc/mounts | sort`,
		says: "proc /proc proc rw,nosuid,nodev,noexec,relatime", alike: []normalizer{replacing(`nr_inodes=\d+`, "nr_inodes=N")}},
	{name: "devices", command: `inside sh -c 'ls -l /dev | cut -c1-10,57-'`, says: "null"},
	{name: "namespaces", command: `inside sh -c 'for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done' ` +
		`>/tmp/in; for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done >/tmp/out; ` +
		`paste -d" " /tmp/in /tmp/out | sed 's/\(.*\) \1/\1 shared/' | sed 's/:.*\]//'`, says: "mnt"},
	{name: "host's namespaces", command: `with "--pid host --ipc host --uts host --network host" sh -c ` +
		`'for n in pid ipc uts net; do readlink /proc/self/ns/$n; done' >/tmp/in; ` +
		`for n in pid ipc uts net; do readlink /proc/self/ns/$n; done | cmp - /tmp/in && echo same`, says: "same"},
	{name: "namespace of a path", command: `with "--network ns:/proc/1/ns/net" readlink /proc/self/ns/net | ` +
		`grep -Fxc "$(readlink /proc/self/ns/net)"`, says: "1"},
	{name: "no network", command: `with "--network none" ls /sys/class/net`, says: "lo"},
	{name: "no pivot", command: `with "--no-pivot" echo hello`, says: "hello"},
	{name: "control groups", command: `inside sed -n '/memory/s/buildah.*/NAME/p' /proc/self/cgroup`, says: "memory:/"},

	// Volumes.
	{name: "bind read-only", command: `mkdir -p /tmp/v; echo data >/tmp/v/f; ` +
		`with "-v /tmp/v:/v:ro" sh -c 'exec 2>&1; cat /v/f; touch /v/g'`, says: "Read-only", status: 1},
	{name: "bind of a file", command: `with "-v /tmp/v/f:/in/file" sh -c 'echo more >>/in/file'; cat /tmp/v/f`, says: "more"},
	{name: "overlay volume", command: `with "-v /tmp/v:/v:O" sh -c 'echo x >/v/new; ls /v'; ls /tmp/v`, says: "new"},
	{name: "tmpfs", command: `with "--mount type=tmpfs,dst=/t,tmpfs-size=1m" sh -c 'grep " /t " /proc/mounts'`,
		says: "size=1024k"},
	// Buildah binds volumes in a mount namespace of its own, which receives nothing.
	{name: "propagation private", command: propagation("rprivate"), says: "inside 0"},
	{name: "propagation slave", command: propagation("rslave"), says: "inside 0"},
	{name: "propagation shared", command: propagation("rshared"), says: "inside 0"},

	// A working container.
	{name: "settings", command: `buildah config --env SET=yes --workingdir /root --user 0 w; inside sh -c 'echo $SET; pwd'`,
		says: "yes"},
	{name: "entry point", command: `buildah config --entrypoint '["echo", "entry"]' --cmd argument w; buildah run w; ` +
		`inside echo only`, says: "only", status: anyStatus},
	{name: "copy", command: `buildah copy -q w /tmp/v/f /copied >/dev/null; inside cat /copied`, says: "data"},
	{name: "add as another user", command: `buildah add -q --chown 12:34 w /tmp/v/f /added >/dev/null; inside stat -c %u:%g /added`,
		says: "12:34"},
	{name: "mount", command: `ls $(buildah mount w)/etc; buildah umount w >/dev/null`, says: "passwd"},
	{name: "change is kept", command: `inside touch /kept; inside ls /kept`, says: "/kept"},
	{name: "commit", command: `buildah commit -q w new >/dev/null; buildah from --name n new; ` +
		`buildah run --runtime $RUNTIME n ls /kept; buildah rm n >/dev/null`, says: "/kept"},
	{name: "user namespace", command: `buildah from --name u --userns-uid-map 0:100000:65536 --userns-gid-map 0:100000:65536 $IMAGE; ` +
		`buildah run --runtime $RUNTIME u sh -c 'id -u; cat /proc/self/uid_map; ls -ln /etc/passwd | cut -c1-40'; ` +
		`buildah rm u >/dev/null`, says: "100000"},
	{name: "many", command: `for i in 1 2 3 4; do inside echo $i & done | sort; wait`, says: "4"},

	// Build.
	{name: "build", command: `echo 'RUN echo built >/f && cat /f' | layer`, says: "built"},
	{name: "build confined", command: `echo 'RUN grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status' | layer`,
		says: "Seccomp:\t2"},
	{name: "build that fails", command: `echo 'RUN exit 9' | layer`, says: "exit status 9", status: 9},
	{name: "build, not found", command: `echo 'RUN ["none"]' | layer`, says: "not found in $PATH", status: anyStatus},
	{name: "build as a user", command: `printf 'USER web\nWORKDIR /home/web\nRUN id && pwd && touch x && ls -l x | cut -c1-30\n' | layer`,
		says: "uid=1000(web)"},
	{name: "build with arguments", command: `printf 'ARG A=1\nENV B=2\nRUN echo $A$B\n' | layer --build-arg A=7`, says: "72"},
	{name: "build with a secret", command: `echo hidden >/tmp/s; ` +
		`echo 'RUN --mount=type=secret,id=s cat /run/secrets/s' | layer --secret id=s,src=/tmp/s`, says: "hidden"},
	{name: "build with a bind", command: `echo 'RUN --mount=type=bind,source=file,target=/b cat /b' | layer`, says: "file"},
	{name: "build with a cache", command: `echo 'RUN --mount=type=cache,target=/c echo x >>/c/f && cat /c/f' | layer`, says: "x"},
	{name: "build with a tmpfs", command: `echo 'RUN --mount=type=tmpfs,target=/t grep -c " /t tmpfs" /proc/mounts' | layer`,
		says: "1"},
	{name: "build with a volume", command: `echo 'RUN cat /v/f' | layer -v /tmp/v:/v:ro`, says: "data"},
	{name: "build with limits", command: `echo 'RUN ulimit -n; cat /proc/self/cgroup | grep -c memory' | ` +
		`layer --ulimit nofile=99:99 --memory 64m --cpu-shares 512`, says: "99"},
	{name: "build in stages", command: `printf 'RUN echo first >/one\nFROM %s\nCOPY --from=0 /one /two\nRUN cat /two\n' $IMAGE | layer`,
		says: "first"},
	{name: "build in layers", command: `printf 'RUN echo a\nRUN echo b\n' >/tmp/two; layer --layers </tmp/two; layer --layers </tmp/two`,
		says: "Using cache"},
	{name: "build, squashed", command: `echo 'RUN touch /squashed' | layer --squash`, says: "COMMIT i"},
	{name: "build without network", command: `echo 'RUN ls /sys/class/net' | layer --network none`, says: "lo"},
	{name: "build with hooks", command: `mkdir -p /tmp/hooks; printf '#!/bin/sh\ncat >>/tmp/hooked\n' >/tmp/hook; chmod 755 /tmp/hook; ` +
		`echo '{"version":"1.0.0","hook":{"path":"/tmp/hook"},"when":{"always":true},"stages":["prestart","poststop"]}' ` +
		`>/tmp/hooks/h.json; echo 'RUN true' | layer --hooks-dir /tmp/hooks >/dev/null; ` +
		`grep -oE '"(id|pid|bundle|ociVersion)":|stopped' /tmp/hooked | sort | uniq -c`, says: "stopped"},
	{name: "build in a user namespace", command: `echo 'RUN id -u && cat /proc/self/uid_map' | ` +
		`layer --userns-uid-map 0:100000:65536 --userns-gid-map 0:100000:65536`, says: "100000"},

	// A plain user.
	{name: "rootless", command: `plain 'buildah pull -q docker-archive:$ARCHIVE; buildah from --name r $IMAGE; ` +
		`buildah run --isolation oci --network host r id'`, says: "uid=0(root)"},
	{name: "rootless confinement", command: `plain 'buildah run --isolation oci --network host r grep -E "^(Cap|Seccomp:|NoNewPrivs)" ` +
		`/proc/self/status'`, says: "Seccomp:\t2"},
	{name: "rootless with --isolation rootless", command: `plain 'buildah run --isolation rootless --network host r cat /proc/self/uid_map'`,
		says: "200000"},
	{name: "rootless build", command: `plain 'printf "FROM $IMAGE\nRUN id -u\n" >Dockerfile; buildah build --isolation rootless --network host .'`,
		says: "RUN id -u"},

	{name: "nothing is left", command: `buildah rm -a | wc -l; ls -A /run/handfast /run/runc /run/crun 2>/dev/null; ` +
		`find /sys/fs/cgroup -name 'buildah*' -type d; grep -c /merged /proc/mounts`, says: "0", status: 1},
}
