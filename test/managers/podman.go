package main

// podman returns the exercise of Podman, as root and as a plain user.
func podman() manager {
	return manager{
		name:     "podman",
		programs: []string{"podman", "conmon", "newuidmap", "setpriv", "script"},
		version:  "podman --version",
		files:    map[string]string{"/etc/containers/containers.conf": containersConf},
		prepare:  "podman load -q -i $ARCHIVE\n" + plainUser,
		lines:    prefixed(podmanPrelude, podmanLines),
	}
}

// containersConf is what docs/integrations.md shows, for Podman and for Buildah.
const containersConf = `[engine]
runtime = "handfast"
runtime_supports_json = ["handfast"]
# A host where systemd is process 1 needs neither of these.
cgroup_manager = "cgroupfs"
events_logger = "file"

[engine.runtimes]
handfast = ["/usr/local/bin/handfast"]

[containers]
# Podman's own defaults are above the hard limits of a host without CAP_SYS_RESOURCE.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
log_driver = "k8s-file"
`

const podmanPrelude = `
temporary() { podman run --rm "$@"; }
privileged() { temporary --privileged "$@"; }
volume() { echo "-v $1:$2:rw,$3"; }
`

var podmanLines = []line{
	// What a process is.
	{name: "run", command: `temporary $IMAGE echo hello`, says: "hello"},
	{name: "status", command: `temporary $IMAGE sh -c 'exit 42'`, status: 42},
	{name: "standard input", command: `echo through | temporary -i $IMAGE cat`, says: "through"},
	{name: "terminal", command: `in_terminal podman run --rm -t $IMAGE tty`, says: "/dev/pts/0"},
	{name: "environment", command: `temporary -e A=1 --env B= $IMAGE env | sort`, says: "A=1",
		alike: []normalizer{replacing("HOSTNAME=.*", "HOSTNAME=<id>")}},
	{name: "working directory", command: `temporary -w /tmp $IMAGE pwd`, says: "/tmp"},
	{name: "user", command: `temporary --user web $IMAGE id`, says: "uid=1000(web)"},
	{name: "additional group", command: `temporary --user 12:34 --group-add audio $IMAGE id`, says: "29(audio)"},
	{name: "hostname", command: `temporary --hostname h $IMAGE hostname`, says: "h"},
	{name: "init", command: `temporary --init $IMAGE ps -o args`, says: "/run/podman-init"},
	{name: "umask", command: `temporary --umask 0077 $IMAGE sh -c umask`, says: "0077"},
	{name: "limits of the process", command: `temporary --ulimit nofile=100:200 --ulimit nproc=300:400 $IMAGE sh -c 'ulimit -n; ulimit -Hn'`,
		says: "200"},
	{name: "program not found", command: `temporary $IMAGE none`, says: "not found in $PATH", status: 127},
	{name: "program missing", command: `temporary $IMAGE /bin/none`, says: "no such file", status: 127},
	{name: "program is a directory", command: `temporary $IMAGE /etc`, status: 126},
	{name: "program not executable", command: `temporary $IMAGE /etc/not-executable`, says: "permission denied", status: 126},
	{name: "interpreter missing", command: `temporary $IMAGE /etc/no-interpreter`, says: "no such file", status: anyStatus},
	{name: "working directory missing", command: `temporary -w /none $IMAGE pwd`, status: anyStatus},

	// What confines it.
	{name: "confinement", command: `temporary $IMAGE grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`,
		says: "Seccomp:\t2"},
	{name: "seccomp", command: `temporary $IMAGE sh -c 'exec 2>&1; unshare -m true; unshare -U true; mount -t tmpfs none /tmp'`,
		says: "Operation not permitted", status: anyStatus},
	{name: "seccomp off", command: `temporary --security-opt seccomp=unconfined $IMAGE grep Seccomp: /proc/self/status`,
		says: "Seccomp:\t0"},
	{name: "privileged", command: `temporary --privileged $IMAGE sh -c ` +
		`'grep -E "^(Cap|Seccomp:)" /proc/self/status; grep -vc unified /proc/mounts; ls /dev | wc -l'`, says: "CapEff"},
	{name: "capabilities", command: `temporary --cap-add SYS_TIME --cap-drop CHOWN $IMAGE sh -c ` +
		`'exec 2>&1; grep CapEff /proc/self/status; chown 1 /tmp'`, says: "Operation not permitted", status: 1},
	{name: "capabilities of a user", command: `temporary --user web --cap-add NET_RAW $IMAGE grep Cap /proc/self/status`,
		says: "CapAmb"},
	{name: "no new privileges", command: `temporary --security-opt no-new-privileges $IMAGE grep NoNewPrivs /proc/self/status`,
		says: "NoNewPrivs:\t1"},
	{name: "read-only root", command: `temporary --read-only $IMAGE sh -c 'exec 2>&1; touch /x; touch /tmp/x; echo $?'`,
		says: "Read-only"},
	{name: "masked paths", command: `temporary $IMAGE sh -c 'exec 2>&1; ls -A /proc/acpi /sys/firmware; wc -c </proc/keys'`,
		says: "0"},
	{name: "mounts", command: `temporary $IMAGE sed "s/^overlay.*/overlay/;s/,size=[0-9]*k/,size/;s/,inode64//" /proc/mounts | sort`,
		says: "proc /proc proc rw,nosuid,nodev,noexec,relatime", alike: []normalizer{replacing(`nr_inodes=\d+`, "nr_inodes=N")}},
	{name: "masked paths shown", command: `temporary --security-opt unmask=/proc/acpi $IMAGE grep -c /proc/acpi /proc/mounts`,
		says: "0", status: 1},
	{name: "system control", command: `temporary --sysctl kernel.msgmax=4096 $IMAGE cat /proc/sys/kernel/msgmax`, says: "4096"},
	{name: "device", command: `temporary --device /dev/loop-control:/dev/lc:r $IMAGE sh -c 'ls -l /dev/lc | cut -c1-10; : </dev/lc'`,
		says: "crw"},
	{name: "host's namespaces", command: `temporary --pid host --ipc host --uts host --network host --cgroupns host $IMAGE sh -c ` +
		`'for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done' | sort >/tmp/in; ` +
		`for n in pid ipc uts net cgroup; do readlink /proc/self/ns/$n; done | sort | cmp - /tmp/in && echo same`, says: "same"},
	{name: "limits", command: `podman run -d --name l --memory 64m --memory-reservation 32m --cpu-shares 512 --cpus 0.5 ` +
		`--pids-limit 50 --cpuset-cpus 0 --cgroup-parent /limits $IMAGE sleep 100 >/tmp/id; ` +
		`limits_of limits/libpod-$(cat /tmp/id)`, says: "memory.limit_in_bytes 67108864"},
	{name: "update", command: `podman update --memory 80m --cpus 0.25 l; limits_of limits/libpod-$(cat /tmp/id)`,
		says: "83886080"},
	{name: "rules of devices", command: `sort /sys/fs/cgroup/devices/limits/libpod-$(cat /tmp/id)/devices.list`,
		says: "c 1:3 rwm"},
	{name: "group removed", command: `podman rm -f -t 0 l; find /sys/fs/cgroup -name "libpod-$(cat /tmp/id)*" | wc -l`, says: "0"},
	{name: "memory exceeded", command: `temporary --memory 32m $IMAGE dd if=/dev/zero of=/dev/null bs=128M count=1`,
		status: 137},

	// User namespaces.
	{name: "user namespace", command: `temporary --uidmap 0:100000:65536 --gidmap 0:100000:65536 $IMAGE sh -c ` +
		`'id -u; cat /proc/self/uid_map; ls -ln /etc/passwd | cut -c1-40'`, says: "100000"},
	{name: "volume in a user namespace", command: `mkdir -p /tmp/uv; chown 100000 /tmp/uv; ` +
		`temporary --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v /tmp/uv:/v $IMAGE touch /v/f; stat -c %u /tmp/uv/f`,
		says: "100000"},
	{name: "volume with mapped ids", command: `rm -rf /tmp/uv/*; chown 0 /tmp/uv; ` +
		`temporary --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v /tmp/uv:/v:idmap $IMAGE touch /v/f; stat -c %u /tmp/uv/f`,
		status: anyStatus},

	// Volumes.
	{name: "bind read-only", command: `mkdir -p /tmp/v; echo data >/tmp/v/f; ` +
		`temporary -v /tmp/v:/v:ro $IMAGE sh -c 'exec 2>&1; cat /v/f; touch /v/g'`, says: "Read-only", status: 1},
	{name: "bind of a file", command: `temporary -v /tmp/v/f:/in/file $IMAGE sh -c 'echo more >>/in/file'; cat /tmp/v/f`,
		says: "more"},
	{name: "options of a bind", command: `temporary -v /tmp/v:/v:nosuid,nodev,noexec $IMAGE grep " /v " /proc/mounts`,
		says: "nosuid,nodev,noexec"},
	{name: "overlay volume", command: `temporary -v /tmp/v:/v:O $IMAGE sh -c 'echo x >/v/new; ls /v'; ls /tmp/v`, says: "new"},
	{name: "named volume", command: `podman volume create n; temporary -v n:/n $IMAGE sh -c 'echo kept >/n/f'; ` +
		`temporary -v n:/n $IMAGE cat /n/f; podman volume rm n`, says: "kept"},
	{name: "tmpfs", command: `temporary --tmpfs /t:rw,size=1m,mode=700 $IMAGE grep " /t " /proc/mounts`, says: "size=1024k"},
	{name: "size of /dev/shm", command: `temporary --shm-size 2m $IMAGE grep /dev/shm /proc/mounts`, says: "size=2048k"},
	{name: "propagation private", command: propagation("rprivate"), says: "inside 0"},
	{name: "propagation slave", command: propagation("rslave"), says: "inside 1"},
	{name: "propagation shared", command: propagation("rshared"), says: "outside 1"},

	// The life of a container.
	{name: "detached", command: `podman run -d --name long --health-cmd 'test -e /healthy' --health-interval disable ` +
		`$IMAGE sh -c 'trap "exit 7" TERM; echo out; echo err >&2; sleep 1000 & wait'; podman ps`, says: "long"},
	{name: "the same name", command: `podman run -d --name long $IMAGE true`, says: "already in use", status: 125},
	{name: "logs", command: `until_says err podman logs long; podman logs long 2>&1 | sort`, says: "out"},
	{name: "inspect", command: `podman inspect long --format ` +
		`'{{.State.Status}} {{.OCIRuntime}} {{.State.Running}} {{.State.Paused}} {{.State.ExitCode}}'`, says: "running"},
	{name: "exec", command: `podman exec long sh -c 'echo in; exit 3'`, says: "in", status: 3},
	{name: "exec with input", command: `echo through | podman exec -i long cat`, says: "through"},
	{name: "exec in a terminal", command: `in_terminal podman exec -t long tty`, says: "/dev/pts/"},
	{name: "exec of a user in a directory", command: `podman exec --user web -w /etc -e X=y long sh -c 'pwd; id; echo $X'`,
		says: "uid=1000"},
	{name: "exec is confined", command: `podman exec long grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`,
		says: "Seccomp:\t2"},
	{name: "exec privileged", command: `podman exec --privileged long grep -E '^(Cap|Seccomp:)' /proc/self/status`,
		says: "CapEff"},
	{name: "exec not found", command: `podman exec long none`, says: "not found in $PATH", status: 127},
	{name: "exec missing", command: `podman exec long /none`, says: "no such file", status: 127},
	{name: "exec not executable", command: `podman exec long /etc/not-executable`, says: "permission denied", status: 126},
	{name: "exec where no directory is", command: `podman exec -w /none long pwd`, status: anyStatus},
	{name: "exec detached", command: `podman exec -d long sleep 55; until_says "sleep 55" podman exec long ps; ` +
		`podman exec long ps -o args | sort`, says: "sleep 55"},
	{name: "top", command: `podman top long args | sort`, says: "sleep 55"},
	{name: "top of the host", command: `podman top long hpid pid user | sort`, says: "root", alike: []normalizer{numbers, spacing}},
	{name: "statistics", command: `podman stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' long`, says: "long",
		alike: []normalizer{numbers, units}},
	{name: "health", command: `podman healthcheck run long; echo $?; podman exec long touch /healthy; podman healthcheck run long; ` +
		`podman inspect long --format '{{.State.Health.Status}}'`, says: "healthy"},
	{name: "copy in", command: `echo copied >/tmp/c; podman cp /tmp/c long:/tmp/c; podman exec long cat /tmp/c`, says: "copied"},
	{name: "copy out", command: `podman cp long:/etc/group /tmp/group; grep -c . /tmp/group`, says: "4"},
	{name: "difference", command: `podman diff long | sort`, says: "A /healthy"},
	{name: "mount", command: `ls $(podman mount long)/etc; podman unmount long >/dev/null`, says: "passwd"},
	{name: "pause", command: `podman pause long; podman ps --format '{{.Names}} {{.Status}}' --filter status=paused`,
		says: "Paused"},
	{name: "exec while paused", command: `podman exec long true`, says: "state improper", status: 255},
	{name: "unpause", command: `podman unpause long; podman inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "remove running", command: `podman rm long`, says: "running", status: anyStatus},
	{name: "signal", command: `podman kill -s USR1 long; podman kill -s 0 long`, status: anyStatus},
	{name: "stop", command: `podman stop -t 5 long; podman inspect long --format '{{.State.Status}} {{.State.ExitCode}}'`,
		status: anyStatus},
	{name: "signal when stopped", command: `podman kill long`, says: "can only kill running", status: 125},
	{name: "start", command: `podman start long; podman inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "restart", command: `podman restart -t 0 long; podman inspect long --format '{{.State.Status}}'`, says: "running"},
	{name: "stop at once", command: `podman stop -t 0 long; podman wait long`, says: "137"},
	{name: "remove", command: `podman rm long; podman ps -a`, says: "CONTAINER ID"},
	{name: "created, then started", command: `podman create --name two $IMAGE echo started; podman start -a two; podman rm two`,
		says: "started"},
	{name: "attach", command: `mkfifo /tmp/go; podman run -d --name k -v /tmp/go:/go $IMAGE ` +
		`sh -c 'read x </go; echo attached; exit 5'; { sleep 2; echo >/tmp/go; } & podman attach k; ` +
		`podman wait k; podman rm k`, says: "attached"},
	{name: "kill", command: `podman run -d --name k $IMAGE sleep 100; podman kill k; podman wait k; podman rm k`, says: "137"},
	{name: "restart policy", command: `podman run -d --name k --restart on-failure:2 $IMAGE sh -c 'echo again; exit 1'; ` +
		`until_says 3 sh -c 'podman logs k | grep -c again'; until_says exited podman inspect k --format '{{.State.Status}}'; ` +
		`podman inspect k --format '{{.RestartCount}} {{.State.ExitCode}}'; podman rm k`, says: "2 1"},
	{name: "commit", command: `podman run --name k $IMAGE sh -c 'echo new >/f'; podman commit -q k new; temporary new cat /f; ` +
		`podman rm k; podman rmi new`, says: "new"},
	{name: "export", command: `podman create --name k $IMAGE; podman export k | tar t | grep -c bin/busybox; podman rm k`, says: "1"},
	{name: "hooks", command: `mkdir -p /tmp/hooks; printf '#!/bin/sh\ncat >/tmp/hooked\n' >/tmp/hook; chmod 755 /tmp/hook; ` +
		`echo '{"version":"1.0.0","hook":{"path":"/tmp/hook"},"when":{"always":true},"stages":["createRuntime","poststop"]}' ` +
		`>/tmp/hooks/h.json; podman --hooks-dir /tmp/hooks run --rm $IMAGE true; ` +
		`grep -oE '"(id|pid|status|bundle|ociVersion)":|stopped' /tmp/hooked`, says: "stopped"},
	{name: "events", command: `temporary --name ev $IMAGE true; ` +
		`podman events --stream=false --filter container=ev --format '{{.Status}}'`, says: "died"},
	{name: "descriptors", command: `temporary --preserve-fds 1 $IMAGE sh -c 'cat <&3' 3</tmp/c`, says: "copied"},
	{name: "notification", command: `podman run -d --name k --sdnotify container $IMAGE sleep 100; ` +
		`podman exec k sh -c 'echo ${NOTIFY_SOCKET:-none}'; podman rm -f -t 0 k`, says: "none"},

	// Pods.
	{name: "pod", command: `podman pod create --name p --infra-image $IMAGE --infra-command 'sleep 1000'; ` +
		`podman run -d --pod p --name p1 $IMAGE sleep 1000; podman run -d --pod p --name p2 $IMAGE sleep 1000; ` +
		`podman pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'`, says: "p Running 3"},
	{name: "pod shares namespaces", command: `for c in p1 p2; do podman exec $c readlink /proc/self/ns/net /proc/self/ns/ipc ` +
		`/proc/self/ns/uts; done | sort | uniq -c | wc -l`, says: "3"},
	{name: "pod statistics", command: `podman pod stats --no-stream p | tail -n +2 | wc -l`, says: "3"},
	{name: "pod top", command: `podman pod top p args | sort`, says: "sleep 1000"},
	{name: "pod pause", command: `podman pod pause p >/dev/null; podman pod ps --format '{{.Status}}'; podman pod unpause p >/dev/null; ` +
		`podman pod ps --format '{{.Status}}'`, says: "Paused"},
	{name: "pod stop and start", command: `podman pod stop -t 0 p >/dev/null; podman pod ps --format '{{.Status}}'; ` +
		`podman pod start p >/dev/null; podman pod ps --format '{{.Status}}'`, says: "Exited"},
	{name: "pod remove", command: `podman pod rm -f -t 0 p | wc -l; podman ps -a | wc -l`, says: "1"},
	{name: "manifest of Kubernetes", command: `printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: kube}\nspec:\n  containers:\n` +
		`  - {name: a, image: %s, command: [sleep, "1000"]}\n' $IMAGE >/tmp/pod.yaml; podman play kube /tmp/pod.yaml | grep -c .; ` +
		`podman exec kube-a echo in; podman play kube --down /tmp/pod.yaml | grep -c .`, says: "in"},

	// Build.
	{name: "build", command: `mkdir -p /tmp/b; printf 'FROM %s\nRUN echo built >/f && grep Seccomp: /proc/self/status\nUSER web\n` +
		`RUN id -u\nCMD ["cat", "/f"]\n' $IMAGE >/tmp/b/Dockerfile; podman build -q -t built /tmp/b; temporary built`, says: "built"},
	{name: "build that fails", command: `printf 'FROM %s\nRUN exit 9\n' $IMAGE >/tmp/b/Dockerfile; podman build -t built /tmp/b`,
		says: "9", status: anyStatus},

	// A plain user.
	{name: "rootless", command: `plain 'podman load -q -i $ARCHIVE; podman run --rm $IMAGE id'`, says: "uid=0(root)"},
	{name: "rootless ids", command: `plain 'podman run --rm $IMAGE cat /proc/self/uid_map'`, says: "200000",
		alike: []normalizer{spacing}},
	{name: "rootless user", command: `plain 'podman run --rm --user web $IMAGE id'`, says: "uid=1000(web)"},
	{name: "rootless confinement", command: `plain 'podman run --rm $IMAGE grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status'`,
		says: "Seccomp:\t2"},
	{name: "rootless, the user's own id", command: `plain 'podman run --rm --userns keep-id $IMAGE id -u'`, says: "2000"},
	{name: "rootless volume", command: `plain 'mkdir v; podman run --rm -v ./v:/v $IMAGE touch /v/f; stat -c %u v/f'`, says: "2000"},
	{name: "rootless terminal", command: `in_terminal plain 'podman run --rm -t $IMAGE tty'`,
		says: "/dev/pts/0"},
	{name: "rootless detached", command: `plain 'podman run -d --name r $IMAGE sleep 1000; podman exec r echo in; ` +
		`podman top r args; podman stop -t 0 r; podman inspect r --format "{{.State.ExitCode}}"; podman rm r'`, says: "137"},
	{name: "rootless not found", command: `plain 'podman run --rm $IMAGE none'`, says: "not found in $PATH", status: 127},
	{name: "rootless pod", command: `plain 'podman pod create --name p --infra-image $IMAGE --infra-command "sleep 1000"; ` +
		`podman run --rm --pod p $IMAGE echo in; podman pod rm -f -t 0 p'`, says: "in"},

	{name: "nothing is left", command: `podman ps -a; podman pod ps; ls -A /run/crun /run/runc /run/handfast 2>/dev/null; ` +
		`find /sys/fs/cgroup -name 'libpod-*' -type d; grep -c /merged /proc/mounts`, says: "0", status: 1},
}
