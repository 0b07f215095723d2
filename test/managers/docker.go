package main

// docker returns the exercise of Docker, with the BuildKit that is in dockerd.
func docker() manager {
	return manager{
		name:     "docker",
		programs: []string{"dockerd", "containerd", "docker", "script"},
		version:  "docker --version; dockerd --version",
		files:    map[string]string{"/etc/docker/daemon.json": daemonJSON},
		// In the room is no network, so dockerd has neither rules nor a bridge to make.
		daemon: "exec dockerd --iptables=false --ip6tables=false --bridge=none",
		prepare: `until_ok docker version
docker load -q -i $ARCHIVE
` + plainUser,
		lines: prefixed(dockerPrelude, dockerLines),
	}
}

// daemonJSON is what docs/integrations.md shows.
const daemonJSON = `{
  "default-runtime": "handfast",
  "runtimes": {"handfast": {"path": "/usr/local/bin/handfast"}}
}
`

const dockerPrelude = `
temporary() { docker run --network none --rm "$@"; }
# Docker 20.10 gives a privileged container capabilities that a host without CAP_SYS_RESOURCE has not.
privileged() { temporary --cap-add SYS_ADMIN --security-opt seccomp=unconfined "$@"; }
detached() { docker run --network none -d "$@" >/tmp/id; }
volume() { echo "-v $1:$2:rw,$3"; }
# settled N COMMAND: prints what the command prints once that has N lines, for a health check may be among processes.
settled() {
	want=$1; shift; n=0
	until "$@" >/tmp/settled; [ $(wc -l </tmp/settled) = $want ]; do n=$((n+1)); [ $n -lt 200 ] || break; sleep 0.05; done
	cat /tmp/settled
}
`

var dockerLines = []line{
	// What a process is.
	{name: "run", command: `temporary $IMAGE echo hello`, says: "hello"},
	{name: "status", command: `temporary $IMAGE sh -c 'exit 42'`, status: 42},
	{name: "standard input", command: `echo through | temporary -i $IMAGE cat`, says: "through"},
	{name: "terminal", command: `in_terminal docker run --network none --rm -t $IMAGE tty`, says: "/dev/pts/0"},
	{name: "environment", command: `temporary -e A=1 --env B= $IMAGE env | sort`, says: "A=1"},
	{name: "working directory", command: `temporary -w /made/here $IMAGE pwd`, says: "/made/here"},
	{name: "user", command: `temporary --user web $IMAGE id`, says: "uid=1000(web)"},
	{name: "additional group", command: `temporary --user 12:34 --group-add audio $IMAGE id`, says: "29(audio)"},
	{name: "hostname", command: `temporary --hostname h --domainname d $IMAGE sh -c 'hostname; cat /proc/sys/kernel/domainname'`,
		says: "h"},
	{name: "init", command: `temporary --init $IMAGE ps -o args`, says: "/sbin/docker-init"},
	{name: "limits of the process", command: `temporary --ulimit nofile=100:200 $IMAGE sh -c 'ulimit -n; ulimit -Hn'`,
		says: "200"},
	{name: "program not found", command: `temporary $IMAGE none`, says: "not found in $PATH", status: 127},
	{name: "program missing", command: `temporary $IMAGE /bin/none`, says: "no such file", status: 127},
	{name: "program is a directory", command: `temporary $IMAGE /etc`, status: 126},
	{name: "program not executable", command: `temporary $IMAGE /etc/not-executable`, says: "permission denied", status: 126},
	{name: "interpreter missing", command: `temporary $IMAGE /etc/no-interpreter`, says: "no such file", status: anyStatus},
	{name: "after failures", command: `docker ps -a --format '{{.Names}}' | wc -l`, says: "0"},

	// What confines it.
	{name: "confinement", command: `temporary $IMAGE grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`,
		says: "Seccomp:\t2"},
	{name: "seccomp", command: `temporary $IMAGE sh -c 'exec 2>&1; unshare -m true; unshare -U true; mount -t tmpfs none /tmp'`,
		says: "Operation not permitted", status: anyStatus},
	{name: "seccomp profile", command: `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sync"],"action":` +
		`"SCMP_ACT_ERRNO","errnoRet":38}, {"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}' >/tmp/p.json; ` +
		`temporary --security-opt seccomp=/tmp/p.json $IMAGE mkdir /x`, says: "Operation not permitted", status: 1},
	{name: "seccomp off", command: `temporary --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status`,
		says: "Seccomp:\t0"},
	{name: "privileged", command: `temporary --privileged $IMAGE sh -c ` +
		`'grep -E "^(Cap|Seccomp:)" /proc/self/status; grep -vc unified /proc/mounts; ls /dev | wc -l'`, says: "", status: anyStatus},
	{name: "capabilities", command: `temporary --cap-add SYS_TIME --cap-drop CHOWN $IMAGE sh -c ` +
		`'exec 2>&1; grep CapEff /proc/self/status; chown 1 /tmp'`, says: "Operation not permitted", status: 1},
	{name: "no capabilities", command: `temporary --cap-drop ALL $IMAGE grep Cap /proc/self/status`, says: "CapEff"},
	{name: "no new privileges", command: `temporary --security-opt no-new-privileges $IMAGE grep NoNewPrivs /proc/self/status`,
		says: "NoNewPrivs:\t1"},
	{name: "read-only root", command: `temporary --read-only $IMAGE touch /x`, says: "Read-only", status: 1},
	{name: "masked paths", command: `temporary $IMAGE sh -c 'exec 2>&1; ls -A /proc/acpi /sys/firmware; wc -c </proc/keys'`,
		says: "0"},
	{name: "mounts", command: `temporary $IMAGE sed "s/^overlay.*/overlay/" /proc/mounts`,
		says: "proc /proc proc rw,nosuid,nodev,noexec,relatime"},
	{name: "system control", command: `temporary --sysctl kernel.msgmax=4096 $IMAGE cat /proc/sys/kernel/msgmax`, says: "4096"},
	{name: "devices", command: `temporary --device /dev/loop-control:/dev/lc:r $IMAGE sh -c 'ls -l /dev | cut -c1-10,57-'`,
		says: "lc"},
	{name: "host's namespaces", command: `docker run --rm --pid host --ipc host --uts host --network host --cgroupns host $IMAGE ` +
		`sh -c 'for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done' | sort >/tmp/in; ` +
		`for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done | sort | cmp - /tmp/in && echo same`, says: "same"},
	{name: "limits", command: `detached --name lim --memory 64m --memory-reservation 32m --cpu-shares 512 --cpus 0.5 ` +
		`--pids-limit 50 --cpuset-cpus 0 --cgroup-parent /limits $IMAGE sleep 100; limits_of limits/$(cat /tmp/id)`,
		says: "memory.limit_in_bytes 67108864"},
	{name: "update", command: `docker update --memory 80m --memory-swap -1 --cpus 0.25 lim; limits_of limits/$(cat /tmp/id)`,
		says: "83886080", status: anyStatus},
	{name: "update of a restart policy", command: `docker update --restart on-failure:3 lim`, says: "lim"},
	{name: "update that cannot be", command: `docker update --cpuset-cpus 4096 lim; limits_of limits/$(cat /tmp/id)`,
		status: anyStatus},
	{name: "rules of devices", command: `sort /sys/fs/cgroup/devices/limits/$(cat /tmp/id)/devices.list`, says: "c 1:3 rwm"},
	{name: "group removed", command: `docker rm -f lim; find /sys/fs/cgroup -name "$(cat /tmp/id)" | wc -l`, says: "0"},
	{name: "memory exceeded", command: `detached --name oom --memory 32m $IMAGE dd if=/dev/zero of=/dev/null bs=128M count=1; ` +
		`docker wait oom; docker inspect oom --format '{{.State.OOMKilled}}'; docker rm oom`, says: "true"},
	{name: "group of its own", command: `temporary --cgroupns private $IMAGE cat /proc/self/cgroup`, says: "memory:/"},

	// User namespaces.
	{name: "user namespace", command: `dockerd --iptables=false --ip6tables=false --bridge=none --userns-remap plain ` +
		`--data-root /var/lib/remapped --exec-root /run/remapped --pidfile /run/remapped.pid -H unix:///run/remapped.sock ` +
		`>/tmp/remapped.log 2>&1 & export DOCKER_HOST=unix:///run/remapped.sock; until_ok docker version; ` +
		`docker load -q -i $ARCHIVE; temporary $IMAGE sh -c 'id -u; cat /proc/self/uid_map; ls -ln /etc/passwd | cut -c1-40'; ` +
		`temporary $IMAGE grep -E '^(Cap|Seccomp:)' /proc/self/status; in_terminal docker run --network none --rm -t $IMAGE tty; ` +
		`temporary --userns host $IMAGE cat /proc/self/uid_map; kill $(cat /run/remapped.pid); wait`, says: "200000"},

	// Volumes.
	{name: "bind read-only", command: `mkdir -p /tmp/v; echo data >/tmp/v/f; ` +
		`temporary -v /tmp/v:/v:ro $IMAGE sh -c 'exec 2>&1; cat /v/f; touch /v/g'`, says: "Read-only", status: 1},
	{name: "bind of a file", command: `temporary -v /tmp/v/f:/in/file $IMAGE sh -c 'echo more >>/in/file'; cat /tmp/v/f`,
		says: "more"},
	{name: "mount that is not recursive", command: `mkdir -p /tmp/v/m; mount -t tmpfs below /tmp/v/m; ` +
		`temporary --mount type=bind,src=/tmp/v,dst=/v,bind-nonrecursive $IMAGE grep -c below /proc/mounts; umount /tmp/v/m`,
		says: "0"},
	{name: "named volume", command: `docker volume create vol; temporary -v vol:/n $IMAGE sh -c 'echo kept >/n/f'; ` +
		`temporary -v vol:/n $IMAGE cat /n/f; docker volume rm vol`, says: "kept"},
	{name: "volumes of another", command: `docker create --name other -v /w $IMAGE >/dev/null; ` +
		`temporary --volumes-from other $IMAGE sh -c 'echo kept >/w/f'; temporary --volumes-from other $IMAGE cat /w/f; docker rm -v other`,
		says: "kept"},
	{name: "tmpfs", command: `temporary --tmpfs /t:rw,size=1m,mode=700 $IMAGE grep " /t " /proc/mounts`, says: "size=1024k"},
	{name: "size of /dev/shm", command: `temporary --shm-size 2m $IMAGE grep /dev/shm /proc/mounts`, says: "size=2048k"},
	{name: "propagation private", command: propagation("rprivate"), says: "inside 0"},
	{name: "propagation slave", command: propagation("rslave"), says: "inside 1"},
	{name: "propagation shared", command: propagation("rshared"), says: "outside 1"},

	// The life of a container.
	{name: "detached", command: `detached --name long --health-cmd 'test -e /healthy' --health-interval 1s ` +
		`$IMAGE sh -c 'trap "exit 7" TERM; echo out; echo err >&2; sleep 1000 & wait'; ` +
		`docker ps --format '{{.Names}} {{.Image}} {{.Command}}'`, says: "long"},
	{name: "the same name", command: `detached --name long $IMAGE true`, says: "already in use", status: 125},
	{name: "logs", command: `until_says err docker logs long; docker logs long 2>&1 | sort`, says: "out"},
	{name: "inspect", command: `docker inspect long --format ` +
		`'{{.State.Status}} {{.HostConfig.Runtime}} {{.State.Running}} {{.State.Paused}} {{.State.ExitCode}}'`, says: "running"},
	{name: "exec", command: `docker exec long sh -c 'echo in; exit 3'`, says: "in", status: 3},
	{name: "exec with input", command: `echo through | docker exec -i long cat`, says: "through"},
	{name: "exec in a terminal", command: `in_terminal docker exec -t long tty`, says: "/dev/pts/"},
	{name: "exec of a user in a directory", command: `docker exec --user web -w /etc -e X=y long sh -c 'pwd; id; echo $X'`,
		says: "uid=1000"},
	{name: "exec is confined", command: `docker exec long grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`,
		says: "Seccomp:\t2"},
	{name: "exec privileged", command: `docker exec --privileged long grep -E '^(Cap|Seccomp:)' /proc/self/status`,
		status: anyStatus},
	{name: "exec not found", command: `docker exec long none`, says: "not found in $PATH", status: anyStatus},
	{name: "exec missing", command: `docker exec long /none`, says: "no such file", status: anyStatus},
	{name: "exec not executable", command: `docker exec long /etc/not-executable`, says: "permission denied", status: 126},
	{name: "exec where no directory is", command: `docker exec -w /none long pwd`, status: anyStatus},
	{name: "exec detached", command: `docker exec -d long sleep 55; until_says "sleep 55" docker exec long ps; ` +
		`settled 5 docker exec long ps -o args | sort`, says: "sleep 55"},
	{name: "top", command: `settled 4 docker top long -eo pid,args | sort -k2`, says: "sleep N", alike: []normalizer{numbers, spacing}},
	{name: "top of the host", command: `settled 4 docker top long | wc -l`, says: "4"},
	{name: "statistics", command: `docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' long`, says: "long",
		alike: []normalizer{numbers, units}},
	{name: "health", command: `until_says unhealthy docker inspect long --format '{{.State.Health.Status}}'; ` +
		`docker exec long touch /healthy; until_says '^healthy' docker inspect long --format '{{.State.Health.Status}}'; ` +
		`docker inspect long --format '{{.State.Health.Status}}'`, says: "healthy"},
	{name: "copy in", command: `echo copied >/tmp/c; docker cp /tmp/c long:/tmp/c; docker exec long cat /tmp/c`, says: "copied"},
	{name: "copy out", command: `docker cp long:/etc/group /tmp/group; grep -c . /tmp/group`, says: "4"},
	{name: "difference", command: `docker diff long | sort`, says: "A /healthy"},
	{name: "pause", command: `docker pause long; docker inspect long --format '{{.State.Status}}'`, says: "paused"},
	{name: "exec while paused", command: `docker exec long true`, says: "paused", status: 1},
	{name: "unpause", command: `docker unpause long; docker inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "remove running", command: `docker rm long`, says: "running", status: 1},
	{name: "rename", command: `docker rename long longer; docker rename longer long; docker port long`},
	{name: "stop", command: `docker stop -t 5 long; docker inspect long --format '{{.State.Status}} {{.State.ExitCode}}'`,
		says: "exited 7"},
	{name: "signal when stopped", command: `docker kill long`, says: "is not running", status: 1},
	{name: "start", command: `docker start long; docker inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "restart", command: `docker restart -t 0 long; docker inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "killed", command: `docker kill long; docker wait long`, says: "137"},
	{name: "remove", command: `docker rm long; docker ps -aq`, says: "long"},
	{name: "created, then started", command: `docker create --network none --name two $IMAGE echo started; ` +
		`docker start -a two; docker rm two`, says: "started"},
	{name: "attach", command: `mkfifo /tmp/go; detached --name tmp -v /tmp/go:/go $IMAGE ` +
		`sh -c 'read x </go; echo attached; exit 5'; { sleep 2; echo >/tmp/go; } & docker attach tmp; ` +
		`s=$?; docker rm tmp; exit $s`, says: "attached", status: 5},
	{name: "kill", command: `detached --name tmp $IMAGE sleep 100; docker kill tmp; docker wait tmp; docker rm tmp`, says: "137"},
	{name: "restart policy", command: `detached --name tmp --restart on-failure:2 $IMAGE sh -c 'echo again; exit 1'; ` +
		`until_says '^2 exited' docker inspect tmp --format '{{.RestartCount}} {{.State.Status}}'; ` +
		`docker logs tmp; docker rm tmp`, says: "again"},
	{name: "commit", command: `docker run --network none --name tmp $IMAGE sh -c 'echo new >/f'; docker commit tmp new; ` +
		`temporary new cat /f; docker rm tmp; docker rmi new | wc -l`, says: "new"},
	{name: "export", command: `docker create --name tmp $IMAGE; docker export tmp | tar t | grep -c bin/busybox; docker rm tmp`, says: "1"},
	{name: "namespace of another", command: `detached --name tmp --ipc shareable $IMAGE sleep 1000; ` +
		`docker run --rm --network container:tmp --ipc container:tmp --pid container:tmp $IMAGE ps -o args | sort; docker rm -f tmp`,
		says: "sleep 1000"},
	{name: "events", command: `since=$(date +%s); temporary --name ev $IMAGE true; ` +
		`docker events --since $since --until $(($(date +%s)+1)) --filter container=ev --format '{{.Action}}'`, says: "destroy"},
	{name: "information", command: `docker info --format '{{.DefaultRuntime}} {{.CgroupDriver}} {{.CgroupVersion}}'; ` +
		`docker info --format '{{.RuncCommit.ID}}' | wc -w; docker info 2>&1 | grep -c "Runtimes:.* $NAME"`, says: "cgroupfs"},
	{name: "many", command: `for i in 1 2 3 4 5 6; do temporary $IMAGE echo $i & done | sort; wait`, says: "6"},
	{name: "prune", command: `docker create --name tmp $IMAGE >/dev/null; docker container prune -f | wc -l`, says: "4"},

	// Build.
	{name: "build", command: `mkdir -p /tmp/b; printf 'FROM %s\nRUN echo built >/f && grep Seccomp: /proc/self/status\nUSER web\n` +
		`RUN id -u\nCMD ["cat", "/f"]\n' $IMAGE >/tmp/b/Dockerfile; ` +
		`DOCKER_BUILDKIT=0 docker build --network none -q -t built /tmp/b; temporary built`, says: "built"},
	{name: "build that fails", command: `printf 'FROM %s\nRUN exit 9\n' $IMAGE >/tmp/b/f; ` +
		`DOCKER_BUILDKIT=0 docker build --network none --force-rm -f /tmp/b/f /tmp/b`, says: "9", status: 9},
	{name: "BuildKit", command: `DOCKER_BUILDKIT=1 docker build --progress plain --no-cache --network none -t kit /tmp/b 2>&1 | ` +
		`grep -E '^#[0-9]+ [0-9.]+ ' | cut -d' ' -f3-; temporary kit`, says: "built"},
	{name: "BuildKit that fails", command: `DOCKER_BUILDKIT=1 docker build --progress plain --network none -f /tmp/b/f /tmp/b 2>&1 | ` +
		`tail -1`, says: "exit code: 9"},
	{name: "BuildKit, not found", command: `printf 'FROM %s\nRUN ["none"]\n' $IMAGE >/tmp/b/f; ` +
		`DOCKER_BUILDKIT=1 docker build --progress plain --network none -f /tmp/b/f /tmp/b 2>&1 | grep -o '[a-z]* run failed:.*\|[a-z]*: program: .*' | sort -u`,
		says: "not found in $PATH"},

	{name: "nothing is left", command: `docker ps -a --format '{{.Names}}'; ls -A /run/docker/runtime-*/moby /run/containerd/runc/moby 2>/dev/null; ` +
		`find /sys/fs/cgroup -path '*/docker/*' -type d; grep -c /merged /proc/mounts`, says: "0", status: 1},
}
