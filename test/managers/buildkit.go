package main

import "github.com/handfast/handfast/internal/testenv/module"

// buildkit returns the exercise of BuildKit by itself, which Debian does not have. Unlike the one in dockerd it starts
// the runtime that its configuration names.
func buildkit() manager {
	const of, version, variable = "github.com/moby/buildkit", "v0.34.2", "github.com/moby/buildkit/version.Version"
	return manager{
		name:     "buildkit",
		programs: []string{"newuidmap", "setpriv", "unshare", "openssl"},
		built: []module.Program{
			{Module: of, Version: version, Package: "cmd/buildkitd", Variable: variable},
			{Module: of, Version: version, Package: "cmd/buildctl", Variable: variable},
		},
		version: "buildkitd --version; buildctl --version",
		files:   map[string]string{"/etc/buildkit/buildkitd.toml": buildkitdTOML},
		daemon:  "exec buildkitd",
		// The image is both an OCI layout and, as its only layer, an archive for ADD.
		prepare: `mkdir -p /tmp/layout /tmp/context /tmp/d
tar -xf $ARCHIVE -C /tmp/layout
cp $(ls -S /tmp/layout/blobs/sha256/* | head -n 1) /tmp/context/root.tar
until_ok buildctl debug workers
` + plainUser,
		lines: prefixed(buildkitPrelude, buildkitLines),
	}
}

// buildkitdTOML is what docs/integrations.md shows.
const buildkitdTOML = `insecure-entitlements = ["security.insecure"]

[worker.oci]
enabled = true
binary = "/usr/local/bin/handfast"

[worker.containerd]
enabled = false
`

// In buildkitPrelude, "layer" builds the lines of a Dockerfile, on standard input, that follow FROM, and prints
// what the steps print and the error; it is "dockerfile", which writes the file, and "build". "second" starts
// another daemon, with its own state and the given options, for the commands until "ended", and "rootless" one as
// a plain user who is root of a user namespace, as rootlesskit(1) makes it.
const buildkitPrelude = `
dockerfile() { mkdir -p $1; { printf 'FROM scratch AS base\nADD root.tar /\nENV PATH=/bin:/sbin\nFROM base AS first\n'; cat; } >$1/Dockerfile; }
build() { d=$1; shift
	buildctl build --progress plain --frontend dockerfile.v0 --local context=/tmp/context --local dockerfile=$d "$@" >$d/log 2>&1
	s=$?; sed -En 's/^#[0-9]+ [0-9]+\.[0-9]+ //p; /^error/p' $d/log; return $s; }
layer() { dockerfile /tmp/d; build /tmp/d "$@"; }
second() { buildkitd --root /var/lib/second --addr unix:///run/second.sock "$@" >/tmp/second.log 2>&1 & daemon=$!
	export BUILDKIT_HOST=unix:///run/second.sock; until_ok buildctl debug workers; }
rootless() { plain "exec unshare --user --map-root-user --map-auto --mount buildkitd --rootless --root /home/plain/b \
		--addr unix:///run/user/2000/b.sock --oci-worker-binary $RUNTIME --oci-worker-no-process-sandbox" >/tmp/second.log 2>&1 & daemon=$!
	export BUILDKIT_HOST=unix:///run/user/2000/b.sock; until_ok buildctl debug workers; }
ended() { kill $daemon 2>/dev/null; wait $daemon; rm -rf /var/lib/second; }
groups() { find /sys/fs/cgroup -path '*/buildkit/*' -type d | wc -l; }
bundles() { find /var/lib/buildkit/runc-overlayfs/executor -mindepth 1 -maxdepth 1 -type d | wc -l; }
`

// stepID is the name that BuildKit gives to a container.
var stepID = replacing(`\b[0-9a-z]{25}\b`, "<step>")

var buildkitLines = []line{
	{name: "worker", command: `buildctl debug workers --verbose | grep -E 'executor|network|process-mode|snapshotter'`, says: "oci"},

	// What a process is.
	{name: "run", command: `echo 'RUN echo hello' | layer`, says: "hello"},
	{name: "status", command: `echo 'RUN exit 42' | layer`, says: "exit code: 42", status: 1},
	{name: "signal", command: `echo 'RUN kill -9 $$' | layer; echo 'RUN sleep 9 & kill -9 $!; wait $!' | layer`,
		says: "exit code: 137", status: 1},
	{name: "ignored by process 1", command: `echo 'RUN kill -TERM $$; echo survived' | layer`, says: "survived"},
	{name: "without a shell", command: `echo 'RUN ["echo", "$PATH", "a b"]' | layer`, says: "$PATH a b"},
	{name: "another shell", command: `printf 'SHELL ["busybox", "ash", "-euc"]\nRUN echo $0 $-\n' | layer`, says: "ash"},
	{name: "script", command: `printf 'RUN <<end\necho first\nexec 2>&1\necho $0\nend\n' | layer`, says: "first"},
	{name: "script with an interpreter", command: `printf 'RUN <<end\n#!/bin/busybox ash\necho $0; cat /proc/1/cmdline | tr "\\\\0" " "; ` +
		`grep -c /dev/pipes /proc/mounts\nend\n' | layer`, says: "/dev/pipes"},
	{name: "standard input", command: `echo 'RUN cat; echo ended; readlink /proc/self/fd/0' | layer`, says: "ended"},
	{name: "standard error", command: `echo 'RUN echo bad >&2' | layer`, says: "bad"},
	{name: "no terminal", command: `echo 'RUN tty' | layer`, says: "not a tty", status: 1},
	{name: "much output", command: `echo 'RUN seq 1 20000' | layer >/tmp/much; wc -l </tmp/much; tail -n 1 /tmp/much`, says: "20000"},
	{name: "descriptors", command: `echo 'RUN ls /proc/self/fd' | layer`, says: "0"},
	{name: "environment", command: `printf 'ENV A=1 B=\nARG C=3\nRUN env | sort\n' | layer --opt build-arg:C=4`, says: "C=4",
		alike: []normalizer{replacing("TRACEPARENT=.*", "TRACEPARENT=<span>")}},
	{name: "working directory", command: `printf 'WORKDIR /made/here\nRUN pwd; ls -ld . | cut -c1-34\n' | layer`, says: "/made/here"},
	{name: "user", command: `printf 'USER web\nWORKDIR /home/web\nRUN id; pwd; touch x; ls -l x | cut -c1-30\n' | layer`,
		says: "uid=1000(web)"},
	{name: "user by number", command: `printf 'USER 12:34\nRUN id\n' | layer`, says: "uid=12 gid=34"},
	{name: "user that is not there", command: `printf 'USER none\nRUN id\n' | layer`, says: "no matching entries", status: 1},
	{name: "hostname", command: `echo 'RUN hostname; cat /etc/hosts' | layer --opt hostname=h --opt add-hosts=there=10.1.2.3`,
		says: "there"},
	{name: "limits of the process", command: `echo 'RUN ulimit -n; ulimit -Hn; ulimit -c' | ` +
		`layer --opt ulimit=nofile=100:200,core=0:0`, says: "200"},
	{name: "a process that stays", command: `echo 'RUN sleep 4321 & echo left' | layer; pgrep -fc '^sleep 4321'`, says: "left",
		status: 1},
	{name: "processes", command: `echo 'RUN ps -o pid,args' | layer`, says: "1 {ps}", alike: []normalizer{spacing}},
	{name: "program not found", command: `echo 'RUN ["none"]' | layer`, says: "not found in $PATH", status: 1},
	{name: "program missing", command: `echo 'RUN ["/bin/none"]' | layer`, says: "no such file", status: 1},
	{name: "program is a directory", command: `echo 'RUN ["/etc"]' | layer`, says: "/etc", status: 1},
	{name: "program not executable", command: `echo 'RUN ["/etc/not-executable"]' | layer`, says: "permission denied", status: 1},
	{name: "interpreter missing", command: `echo 'RUN ["/etc/no-interpreter"]' | layer`, says: "no such file", status: 1},
	{name: "not found in the shell", command: `echo 'RUN none' | layer`, says: "exit code: 127", status: 1},
	{name: "after failures", command: `groups; bundles`, says: "0"},

	// What confines it.
	{name: "confinement", command: `echo 'RUN grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status' | layer`, says: "Seccomp:\t2"},
	{name: "confinement of a user", command: `printf 'USER web\nRUN grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status\n' | layer`,
		says: "Seccomp:\t2"},
	{name: "seccomp", command: `echo 'RUN exec 2>&1; unshare -m true; unshare -U true; mount -t tmpfs none /tmp' | layer`,
		says: "Operation not permitted", status: 1},
	{name: "not insecure without leave", command: `echo 'RUN --security=insecure true' | layer`, says: "security.insecure is not allowed",
		status: 1},
	{name: "insecure", command: `echo 'RUN --security=insecure grep -E "^(Cap|Seccomp:)" /proc/self/status; ` +
		`mount -t tmpfs none /tmp && grep -c "none /tmp" /proc/mounts; ls /dev | wc -l' | layer --allow security.insecure`,
		says: "Seccomp:\t0"},
	{name: "masked paths", command: `echo 'RUN exec 2>&1; ls -A /proc/acpi /sys/firmware; wc -c </proc/keys; : >/proc/sys/kernel/shmmax' | ` +
		`layer`, says: "Read-only", status: 1},
	{name: "mounts", command: `echo 'RUN sed "s/^overlay.*/overlay/" /proc/mounts' | layer`,
		says: "proc /proc proc rw,nosuid,nodev,noexec,relatime"},
	{name: "size of /dev/shm", command: `echo 'RUN grep /dev/shm /proc/mounts' | layer --opt shm-size=2097152`, says: "size=2048k"},
	{name: "devices", command: `echo 'RUN ls -l /dev | cut -c1-10,57-; exec 2>&1; mknod /k b 8 0; : </k' | layer`, says: "null",
		status: 1},
	{name: "namespaces", command: `echo 'RUN for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done' | ` +
		`layer >/tmp/in; for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done >/tmp/out; ` +
		`paste -d" " /tmp/in /tmp/out | sed 's/\(.*\) \1/\1 shared/' | sed 's/:.*\]//'`, says: "net"},
	{name: "no network", command: `echo 'RUN --network=none ls /sys/class/net; cat /proc/net/dev | wc -l; ip link | head -n 1' | layer`,
		says: "lo"},
	{name: "network of no build", command: `echo 'RUN exec 2>&1; ls /sys/class/net; ip link set lo down' | layer --opt force-network-mode=none`,
		says: "lo", status: 1},
	{name: "network of the host", command: `echo 'RUN --network=host true' | layer`, says: "network.host is not allowed", status: 1},
	{name: "control groups", command: `echo 'RUN sort /proc/self/cgroup; ls -d /sys/fs/cgroup/memory' | layer`, says: "memory:/",
		alike: []normalizer{stepID, replacing(`(?m)^\d+:`, "")}},
	{name: "parent of the groups", command: `echo 'RUN grep memory /proc/self/cgroup' | layer --opt cgroup-parent=/limits; ` +
		`until_ok sh -c '! find /sys/fs/cgroup -path "*/limits/buildkit/*" -type d | grep -q .' && echo removed`, says: "removed",
		alike: []normalizer{stepID}},
	{name: "limits", command: `echo 'RUN cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us ` +
		`cpuset/cpuset.cpus' | layer --opt memory=67108864 --opt cpushares=512 --opt cpuperiod=100000 --opt cpuquota=50000 ` +
		`--opt cpusetcpus=0`, says: "67108864"},
	{name: "memory exceeded", command: `echo 'RUN dd if=/dev/zero of=/dev/null bs=128M count=1' | ` +
		`layer --opt memory=33554432 --opt memswap=33554432`, says: "exit code: 137", status: 1},

	// Mounts.
	{name: "bind", command: `echo data >/tmp/context/file; ` +
		`echo 'RUN --mount=type=bind,source=file,target=/b exec 2>&1; cat /b; echo x >>/b' | layer`, says: "Read-only", status: 1},
	{name: "bind that is writable", command: `echo 'RUN --mount=type=bind,target=/ctx,rw echo x >>/ctx/file && cat /ctx/file' | layer; ` +
		`cat /tmp/context/file`, says: "x"},
	{name: "bind of a stage", command: `printf 'RUN mkdir /o && echo one >/o/1\nFROM base\n` +
		`RUN --mount=from=first,source=/o,target=/i exec 2>&1; cat /i/1; touch /i/2\n' | layer`, says: "one", status: 1},
	{name: "cache", command: `printf 'RUN --mount=type=cache,target=/c echo a >>/c/f\nRUN --mount=type=cache,target=/c echo b >>/c/f; cat /c/f\n' | ` +
		`layer`, says: "b"},
	{name: "cache of a user", command: `echo 'RUN --mount=type=cache,id=u,target=/c,uid=1000,gid=29,mode=0750 ls -ld /c | cut -c1-30' | layer`,
		says: "web"},
	{name: "cache that is locked", command: `printf 'RUN --mount=type=cache,id=l,target=/c,sharing=locked sleep 0.2; echo 1 >>/c/f\n` +
		`FROM base\nRUN --mount=type=cache,id=l,target=/c,sharing=locked sleep 0.2; echo 2 >>/c/f\n` +
		`FROM base\nCOPY --from=1 /bin/sh /1\nCOPY --from=2 /bin/sh /2\nRUN --mount=type=cache,id=l,target=/c sort /c/f\n' | layer`, says: "2"},
	{name: "cache that is read-only", command: `echo 'RUN --mount=type=cache,id=l,target=/c,ro exec 2>&1; touch /c/x' | layer`,
		says: "Read-only", status: 1},
	{name: "tmpfs", command: `printf 'RUN --mount=type=tmpfs,target=/t,size=1m grep " /t " /proc/mounts; touch /t/x\nRUN ls -d /t\n' | layer`,
		says: "size=1024k", status: anyStatus},
	{name: "secret", command: `echo hidden >/tmp/s; echo 'RUN --mount=type=secret,id=s ls -l /run/secrets/s | cut -c1-30; ` +
		`cat /run/secrets/s; grep secrets /proc/mounts' | layer --secret id=s,src=/tmp/s`, says: "hidden"},
	{name: "secret of a user", command: `echo 'RUN --mount=type=secret,id=s,target=/x,uid=1000,gid=29,mode=0440 ls -ln /x | cut -c1-30' | ` +
		`layer --secret id=s,src=/tmp/s`, says: "1000"},
	{name: "secret in the environment", command: `echo 'RUN --mount=type=secret,id=s,env=S echo "$S"' | layer --secret id=s,src=/tmp/s`,
		says: "hidden"},
	{name: "secret that is missing", command: `echo 'RUN --mount=type=secret,id=none,required true' | layer`, says: "not found", status: 1},
	{name: "agent", command: `openssl genpkey -algorithm ed25519 -out /tmp/key; ` +
		`echo 'RUN --mount=type=ssh,mode=0600 test -S $SSH_AUTH_SOCK && ls -l $SSH_AUTH_SOCK | cut -c1-10' | layer --ssh default=/tmp/key`,
		says: "srw-------"},
	{name: "mount behind a link", command: `printf 'RUN ln -s ../../../../tmp /l && ln -s /none /n\n` +
		`RUN --mount=type=tmpfs,target=/l/t grep -o "/tmp/t tmpfs" /proc/mounts\nRUN --mount=type=tmpfs,target=/n/t grep -o "/none/t tmpfs" /proc/mounts\n' | ` +
		`layer`, says: "/none/t", status: anyStatus},
	{name: "places of mounts", command: `printf 'RUN --mount=type=tmpfs,target=/s/a/b touch /s/a/b/f\nRUN exec 2>&1; ls -d /s /s/a; ls -A /dev/shm /sys /proc | head -n 1\n' | ` +
		`layer`, says: "/s", status: anyStatus},

	// Builds.
	{name: "stages", command: `printf 'RUN echo first >/one\nFROM base\nCOPY --from=1 /one /two\nRUN cat /two\n' | layer`, says: "first"},
	{name: "stages at once", command: `printf 'RUN sleep 0.3; echo 1 >/f\nFROM base\nRUN sleep 0.3; echo 2 >/f\nFROM base\nRUN sleep 0.3; echo 3 >/f\n` +
		`FROM base\nCOPY --from=1 /f /1\nCOPY --from=2 /f /2\nCOPY --from=3 /f /3\nRUN cat /1 /2 /3\n' | layer`, says: "3"},
	{name: "a stage that fails beside another", command: `printf 'RUN sleep 1234\nFROM base\nRUN sleep 0.5; exit 5\nFROM base\n` +
		`COPY --from=1 /bin/sh /1\nCOPY --from=2 /bin/sh /2\n' | layer; until_ok sh -c '! pgrep -f "^sleep 1234"'; groups`, says: "exit code: 5"},
	{name: "target", command: `printf 'RUN echo one\nFROM base AS two\nRUN echo two\nFROM base\nRUN exit 1\n' | layer --opt target=two`, says: "two"},
	{name: "twice", command: `echo 'RUN cat /proc/sys/kernel/random/uuid >/f' | layer --output type=local,dest=/tmp/t1; ` +
		`build /tmp/d --output type=local,dest=/tmp/t2; cmp /tmp/t1/f /tmp/t2/f && grep -c CACHED /tmp/d/log`, says: "2"},
	{name: "twice without the cache", command: `build /tmp/d --no-cache --output type=local,dest=/tmp/t3; ` +
		`cmp -s /tmp/t1/f /tmp/t3/f || echo new`, says: "new"},
	{name: "failed, then mended", command: `printf 'RUN test -e /ctx/mended\n' >/tmp/m; ` +
		`echo 'RUN --mount=target=/ctx cat /ctx/mended' | layer; echo yes >/tmp/context/mended; build /tmp/d`, says: "yes"},
	{name: "image of a layout", command: `mkdir -p /tmp/f; printf 'FROM there\nRUN echo $FROM_IMAGE; id\n' >/tmp/f/Dockerfile; ` +
		`build /tmp/f --oci-layout there=/tmp/layout --opt context:there=oci-layout://there@$(grep -o 'sha256:[0-9a-f]*' /tmp/layout/index.json)`,
		says: "yes"},
	{name: "removed files", command: `printf 'RUN mkdir /a && touch /a/1 /a/2\nRUN rm /a/1 && mv /a/2 /a/3\nRUN rm -r /a && mkdir /a\nRUN ls -A /a; ls -d /a\n' | ` +
		`layer`, says: "/a"},
	{name: "attributes of files", command: `printf 'RUN touch /f && chown 12:34 /f && chmod 6751 /f && mkfifo /p && mknod /n c 1 3 && ln /f /g\n` +
		`RUN stat -c "%%n %%a %%u:%%g %%h %%t:%%T" /f /g /p /n\n' | layer`, says: "6751"},
	{name: "labels and the rest", command: `printf 'LABEL a=b\nEXPOSE 80\nVOLUME /v\nSTOPSIGNAL INT\nHEALTHCHECK CMD true\nENTRYPOINT ["e"]\nCMD ["c"]\n` +
		`RUN grep -c " /v " /proc/mounts\n' | layer`, says: "0", status: 1},

	// What comes out.
	{name: "directory", command: `printf 'RUN echo kept >/kept\n' | layer --output type=local,dest=/tmp/o; cat /tmp/o/kept; ` +
		`cd /tmp/o; find . -path ./bin -prune -o -printf '%p %y %m %U:%G\n' | sort`, says: "kept"},
	{name: "archive", command: `build /tmp/d --output type=tar,dest=/tmp/o.tar; tar -tvf /tmp/o.tar | grep -v ' bin/' | awk '{print $1, $2, $3, $6}' | sort`, says: "kept"},
	// The same bytes with both runtimes: neither leaves anything of its own in a layer.
	{name: "image", command: `printf 'RUN echo kept >/kept\nUSER web\nWORKDIR /w\nRUN --mount=type=tmpfs,target=/t/a --mount=type=secret,id=s id >f\n' | ` +
		`layer --secret id=s,src=/tmp/s --opt build-arg:SOURCE_DATE_EPOCH=0 --output type=oci,dest=/tmp/i.tar,rewrite-timestamp=true --metadata-file /tmp/meta; ` +
		`grep -o '"containerimage.digest": "sha256:.\{40\}' /tmp/meta; tar -tf /tmp/i.tar | cut -c1-50 | sort`, says: "index.json"},
	{name: "image for Docker", command: `build /tmp/d --secret id=s,src=/tmp/s --output type=docker,dest=/tmp/k.tar,name=k; ` +
		`tar -xOf /tmp/k.tar manifest.json | grep -o '"RepoTags":[^]]*'; grep -c CACHED /tmp/d/log`, says: "k:latest"},
	{name: "cache that is exported", command: `echo 'RUN cat /proc/sys/kernel/random/uuid >/g' | layer --export-cache type=local,dest=/tmp/cache --output type=local,dest=/tmp/c1; ` +
		`buildctl prune >/dev/null; build /tmp/d --import-cache type=local,src=/tmp/cache --output type=local,dest=/tmp/c2; cmp /tmp/c1/g /tmp/c2/g && echo same`,
		says: "same"},
	{name: "provenance", command: `build /tmp/d --opt attest:provenance=mode=max --output type=local,dest=/tmp/p; ls /tmp/p`, says: "provenance.json"},

	// Builds that do not end by themselves.
	{name: "interrupted", command: `echo 'RUN sleep 1357' | dockerfile /tmp/d; build /tmp/d & ` +
		`until_ok pgrep -f '^sleep 1357'; pkill -INT -f '^buildctl build'; wait $!; echo $?; ` +
		`until_ok sh -c '! pgrep -f "^sleep 1357"'; until_says '^0' groups; groups`, says: "0"},
	{name: "interrupted, deaf to signals", command: `echo 'RUN trap "" INT TERM; sleep 2468' | dockerfile /tmp/d; build /tmp/d & ` +
		`until_ok pgrep -f '^sleep 2468'; pkill -INT -f '^buildctl build'; wait $!; echo $?; ` +
		`until_ok sh -c '! pgrep -f "^sleep 2468"'; until_says '^0' groups; groups`, says: "0"},
	{name: "client killed", command: `echo 'RUN sleep 3579' | dockerfile /tmp/d; build /tmp/d & ` +
		`until_ok pgrep -f '^sleep 3579'; pkill -KILL -f '^buildctl build'; wait $!; echo $?; ` +
		`until_ok sh -c '! pgrep -f "^sleep 3579"'; until_says '^0' groups; groups`, says: "0"},
	// What is left is counted, and then removed, for the lines that follow.
	{name: "interrupted at any time", command: `for t in 02 04 06 08 10 12 14 16 18 20 25 30; do echo "RUN sleep 4680; echo $t" | dockerfile /tmp/d; ` +
		`build /tmp/d >/dev/null & sleep 0.$t; pkill -INT -f '^buildctl build'; wait $!; done
left() { pgrep -fc '^sleep 4680'; groups; bundles; }
for n in $(seq 50); do [ "$(echo $(left))" = "0 0 0" ] && break; sleep 0.1; done; left
for id in $($RUNTIME list -q); do $RUNTIME delete --force $id; done
grep /runc-overlayfs/executor/ /proc/mounts | cut -d' ' -f2 | xargs -r umount
find /sys/fs/cgroup -path '*/buildkit/*' -type d -exec rmdir {} +`, says: "0"},
	{name: "after interruptions", command: `echo 'RUN echo goes on' | layer`, says: "goes on"},
	{name: "many", command: `for i in 1 2 3 4 5 6; do { echo "RUN echo $i" | dockerfile /tmp/d$i; build /tmp/d$i; } & done | sort; wait`,
		says: "6"},

	// Other daemons.
	{name: "found on the path", command: `second --oci-worker-binary $NAME; echo 'RUN echo found' | layer; ended`, says: "found"},
	{name: "runtime that is not there", command: `buildkitd --root /var/lib/second --oci-worker-binary none 2>&1 | grep -o 'failed to find.*'`,
		says: "none"},
	{name: "copies of files", command: `second --oci-worker-snapshotter native; printf 'RUN echo a >/f\nRUN cat /f; grep -c overlay /proc/mounts\n' | layer; ended`,
		says: "a"},
	{name: "parent of all groups", command: `printf '[worker.oci]\nbinary = "%s"\ndefaultCgroupParent = "limits"\nmax-parallelism = 1\n' $RUNTIME >/tmp/second.toml; ` +
		`second --config /tmp/second.toml; echo 'RUN grep memory: /proc/self/cgroup' | layer; ended`, says: "memory:", alike: []normalizer{stepID}},
	// The container goes on without its daemon.
	{name: "daemon killed", command: `second; echo 'RUN sleep 8642' | dockerfile /tmp/d; build /tmp/d >/dev/null & until_ok pgrep -f '^sleep 8642'; ` +
		`kill -KILL $daemon; wait; pgrep -fc '^sleep 8642'; id=$($RUNTIME list -q); $RUNTIME state $id | grep '"status"'; ` +
		`$RUNTIME delete --force $id; pgrep -fc '^sleep 8642'; grep /var/lib/second /proc/mounts | cut -d' ' -f2 | xargs umount; ended`, says: "running", status: anyStatus},

	// A plain user's daemon, in a user namespace.
	{name: "rootless", command: `rootless; echo 'RUN id; cat /proc/self/uid_map; readlink /proc/self/ns/pid | grep -c "$PID"' | ` +
		`layer --opt build-arg:PID=$(readlink /proc/self/ns/pid); ended`, says: "200000"},
	{name: "rootless user", command: `rootless; printf 'USER web\nWORKDIR /home/web\nRUN id; touch x; ls -ln x | cut -c1-30\n' | layer; ended`, says: "uid=1000(web)"},
	{name: "rootless confinement", command: `rootless; echo 'RUN grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status; exec 2>&1; mount -t tmpfs none /tmp' | ` +
		`layer; ended`, says: "Seccomp:\t2"},
	{name: "rootless mounts", command: `rootless; echo 'RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=s ` +
		`cat /run/secrets/s; sed "s/^overlay.*/overlay/;s/,inode64//" /proc/mounts | sort' | layer --secret id=s,src=/tmp/s; ended`, says: "hidden"},
	{name: "rootless failures", command: `rootless; echo 'RUN exit 9' | layer; echo 'RUN ["none"]' | layer; echo 'RUN kill -9 $$; false' | layer; ended`, says: "exit code: 9"},
	{name: "rootless, interrupted", command: `rootless; echo 'RUN sleep 9753' | dockerfile /tmp/d; build /tmp/d & ` +
		`until_ok pgrep -f '^sleep 9753'; pkill -INT -f '^buildctl build'; wait $!; until_ok sh -c '! pgrep -f "^sleep 9753"'; echo gone; ended`, says: "gone"},
	{name: "rootless image", command: `rootless; echo 'RUN echo kept >/kept && chown 12:34 /kept && chmod 4711 /kept' | layer --opt build-arg:SOURCE_DATE_EPOCH=0 ` +
		`--output type=oci,dest=/tmp/i.tar,rewrite-timestamp=true --metadata-file /tmp/meta; grep -o '"containerimage.digest": "sha256:.\{40\}' /tmp/meta; ended`,
		says: "digest"},

	{name: "nothing is left", command: `ls -A /run/handfast /run/runc 2>/dev/null; groups; grep -c 'rootfs\|/merged' /proc/mounts`, says: "0",
		status: 1},
}
