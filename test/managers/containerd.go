package main

// containerd returns the exercise of containerd with its command ctr.
func containerd() manager {
	return manager{
		name:     "containerd",
		programs: []string{"containerd", "containerd-shim-runc-v2", "ctr", "script"},
		version:  "containerd --version",
		files:    map[string]string{"/etc/containerd/config.toml": configTOML},
		daemon:   "exec containerd --log-level warn",
		prepare:  "until_ok ctr version; ctr image import $ARCHIVE",
		lines:    prefixed(containerdPrelude, containerdLines),
	}
}

// configTOML is what docs/integrations.md shows for CRI; ctr names the runtime at each call. A table of runtimes
// replaces containerd's own, so the default must be one of them.
const configTOML = `version = 2

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "handfast"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.handfast]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.handfast.options]
BinaryName = "/usr/local/bin/handfast"
# Where systemd is process 1 and the kubelet's driver of control groups.
SystemdCgroup = true
`

// containerdPrelude calls the runtime as docs/integrations.md does. A container of "temporary" ends with its command.
const containerdPrelude = `
R="--runtime io.containerd.runc.v2 --runc-binary $RUNTIME"
temporary() { ctr run $R --rm "$@"; }
privileged() { ctr run $R --rm --privileged "$1" "$2" "$3" "$4" "$5" p "$6" "$7" "$8"; }
volume() { echo "--mount type=bind,src=$1,dst=$2,options=rbind:rw:$3"; }
temporary_end() { ctr task rm -f $1 2>/dev/null; ctr c rm $1; }
ended() { until_says "$1.*STOPPED" ctr task ls; }
`

var containerdLines = []line{
	// What a process is.
	{name: "run", command: `temporary $IMAGE a echo hello`, says: "hello"},
	{name: "status", command: `temporary $IMAGE a sh -c 'exit 42'`, status: 42},
	{name: "standard error", command: `temporary $IMAGE a sh -c 'echo bad >&2' 2>&1 >/dev/null`, says: "bad"},
	{name: "standard input", command: `echo through | temporary $IMAGE a head -n 1`, says: "through"},
	// What a program prints right before its end is lost now and then in a terminal, with every runtime.
	{name: "terminal", command: `in_terminal ctr run $R --rm -t $IMAGE a sh -c '"tty; sleep 0.5"'`, says: "/dev/pts/0"},
	{name: "terminal size", command: `in_terminal "stty rows 33 cols 77; ` +
		`ctr run $R --rm -t $IMAGE a sh -c 'sleep 0.5; stty size; sleep 0.5'"`, says: "33 77"},
	{name: "environment", command: `temporary --env A=1 --env B= $IMAGE a env | sort`, says: "A=1"},
	{name: "working directory", command: `temporary --cwd /made/here $IMAGE a pwd`, says: "/made/here"},
	{name: "read-only root", command: `temporary --read-only $IMAGE a touch /x`, says: "Read-only", status: 1},
	{name: "program not found", command: `temporary $IMAGE a none`, says: "not found in $PATH", status: 1},
	{name: "program missing", command: `temporary $IMAGE b /bin/none`, says: "no such file", status: 1},
	{name: "program is a directory", command: `temporary $IMAGE c /etc`, says: "/etc", status: 1},
	{name: "program not executable", command: `temporary $IMAGE d /etc/not-executable`, says: "permission denied", status: 1},
	{name: "interpreter missing", command: `temporary $IMAGE e /etc/no-interpreter`, says: "no such file", status: 1},

	// What confines it.
	{name: "confinement", command: `temporary $IMAGE a grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`,
		says: "CapEff:"},
	{name: "privileged", command: `temporary --privileged $IMAGE a sh -c ` +
		`'grep -E "^(Cap|Seccomp:)" /proc/self/status; grep -vc unified /proc/mounts; ls /dev | wc -l'`, says: "CapEff"},
	{name: "seccomp", command: `temporary --seccomp $IMAGE a sh -c ` +
		`'exec 2>&1; grep Seccomp: /proc/self/status; unshare -m true; mount -t tmpfs none /tmp; echo $?'`, says: "Seccomp:\t2"},
	{name: "capabilities", command: `temporary --cap-add CAP_SYS_TIME --cap-drop CAP_CHOWN $IMAGE a sh -c ` +
		`'exec 2>&1; grep CapEff /proc/self/status; chown 1 /tmp; echo $?'`, says: "Operation not permitted"},
	{name: "new privileges", command: `temporary --allow-new-privs $IMAGE a grep NoNewPrivs /proc/self/status`,
		says: "NoNewPrivs:\t0"},
	{name: "masked paths", command: `temporary $IMAGE a sh -c ` +
		`'exec 2>&1; ls -A /proc/acpi /sys/firmware; wc -c </proc/keys; head -c 1 /proc/kcore | wc -c; echo 1 >/proc/sysrq-trigger'`,
		says: "0", status: 1},
	{name: "mounts", command: `temporary $IMAGE a sh -c 'sed "s/overlay.*overlay/overlay/;s/lowerdir.*//" /proc/mounts'`,
		says: "proc /proc proc rw,nosuid,nodev,noexec,relatime"},
	{name: "devices", command: `temporary $IMAGE a ls -l /dev`, says: "ptmx -> pts/ptmx",
		alike: []normalizer{replacing(`[A-Z][a-z]{2} +\d+ \d\d:\d\d`, "<date>"), replacing(`total \d+`, "total N")}},
	{name: "host's device", command: `temporary --device /dev/loop-control $IMAGE a ls -l /dev/loop-control`,
		says: "10,", alike: []normalizer{replacing(`[A-Z][a-z]{2} +\d+ \d\d:\d\d`, "<date>")}},
	{name: "namespaces", command: `temporary $IMAGE a sh -c ` +
		`'for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done' >/tmp/in; ` +
		`for n in mnt pid net ipc uts user cgroup; do readlink /proc/self/ns/$n; done >/tmp/out; ` +
		`paste -d" " /tmp/in /tmp/out | sed 's/\(.*\) \1/\1 shared/' | sed 's/:.*\]//'`, says: "mnt"},
	{name: "host's network", command: `temporary --net-host $IMAGE a readlink /proc/self/ns/net | ` +
		`grep -Fxc "$(readlink /proc/self/ns/net)"`, says: "1"},
	{name: "namespace joined", command: `temporary --with-ns network:/proc/1/ns/net $IMAGE a readlink /proc/self/ns/net | ` +
		`grep -Fxc "$(readlink /proc/self/ns/net)"`, says: "1"},
	{name: "limits", command: `ctr run $R -d --memory-limit 67108864 --cpu-shares 512 --cpu-quota 50000 ` +
		`--cpu-period 100000 $IMAGE l sleep 100; limits_of default/l; temporary_end l`, says: "67108864"},
	{name: "processors", command: `ctr run $R -d --cpus 0.25 $IMAGE l sleep 100; limits_of default/l; temporary_end l`,
		says: "25000"},
	{name: "rules of devices", command: `ctr run $R -d --device /dev/loop-control $IMAGE l sleep 100; ` +
		`cat /sys/fs/cgroup/devices/default/l/devices.list | sort; temporary_end l`, says: "c 10:237 rwm"},
	{name: "memory exceeded", command: `temporary --memory-limit 33554432 $IMAGE a sh -c ` +
		`'dd if=/dev/zero of=/dev/null bs=128M count=1 2>&1; echo $?'`, says: "137"},
	{name: "user namespace", command: `temporary --uidmap 0:100000:65536 --gidmap 0:100000:65536 ` +
		`$IMAGE a sh -c 'id -u; cat /proc/self/uid_map; ls -ln / | grep etc'`, says: "100000",
		alike: []normalizer{replacing(`[A-Z][a-z]{2} +\d+ \d\d:\d\d`, "<date>")}},

	// Volumes.
	{name: "bind", command: `mkdir -p /tmp/v; echo data >/tmp/v/f; ` +
		`temporary --mount type=bind,src=/tmp/v,dst=/v,options=rbind:ro $IMAGE a sh -c 'exec 2>&1; cat /v/f; touch /v/g'`,
		says: "Read-only", status: 1},
	{name: "bind of a file", command: `echo data >/tmp/v/f; ` +
		`temporary --mount type=bind,src=/tmp/v/f,dst=/in/file,options=rbind:rw $IMAGE a sh -c 'echo more >>/in/file'; ` +
		`cat /tmp/v/f`, says: "more"},
	{name: "tmpfs", command: `temporary --mount type=tmpfs,dst=/t,options=size=1m:mode=700 $IMAGE a grep ' /t ' /proc/mounts`,
		says: "size=1024k"},
	{name: "source missing", command: `temporary --mount type=bind,src=/none,dst=/v,options=rbind $IMAGE f true`,
		says: "no such file", status: 1},
	{name: "propagation private", command: propagation("rprivate"), says: "inside 0"},
	{name: "propagation slave", command: propagation("rslave"), says: "inside 1"},
	{name: "propagation shared", command: propagation("rshared"), says: "inside 1"},

	// The life of a container.
	{name: "detached", command: `ctr run $R -d $IMAGE long sh -c 'trap "exit 7" TERM; sleep 1000 & wait'; ` +
		`ctr task ls`, says: "long", always: true, alike: []normalizer{numbers, spacing}},
	{name: "the same name", command: `ctr run $R -d $IMAGE long true`, says: "already exists", status: 1},
	{name: "exec", command: `ctr task exec --exec-id x long sh -c 'echo in; exit 3'`, says: "in", status: 3},
	{name: "exec in a terminal", command: `in_terminal ctr task exec -t --exec-id x long sh -c '"tty; sleep 0.5"'`, says: "/dev/pts/0"},
	{name: "exec of a user in a directory", command: `ctr task exec --exec-id x --user web --cwd /etc long sh -c 'pwd; id'`,
		says: "uid=1000"},
	{name: "exec is confined", command: `ctr task exec --exec-id x long ` +
		`grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status`, says: "CapEff"},
	{name: "exec not found", command: `ctr task exec --exec-id y long none`, says: "not found in $PATH", status: 1},
	{name: "exec missing", command: `ctr task exec --exec-id z long /none`, says: "no such file", status: 1},
	{name: "exec where no directory is", command: `ctr task exec --exec-id w --cwd /none long pwd`, status: anyStatus},
	{name: "exec detached", command: `ctr task exec --detach --exec-id d long sleep 100; ctr task ps long`, says: "d",
		alike: []normalizer{numbers, spacing}},
	{name: "statistics", command: `ctr task metrics long | grep -oE '^[a-z.]+'`, says: "memory"},
	{name: "statistics as JSON", command: `ctr task metrics --format json long | ` +
		`grep -oE '"(usage|limit|memory|pids|cpu|blkio|current)":' | sort -u`, says: "usage"},
	{name: "pause", command: `ctr task pause long; ctr task ls`, says: "PAUSED", alike: []normalizer{numbers, spacing}},
	{name: "exec while paused", command: `ctr task exec --exec-id p long true`, says: "paused", status: 1},
	{name: "resume", command: `ctr task resume long; ctr task ls`, says: "RUNNING", alike: []normalizer{numbers, spacing}},
	{name: "resume twice", command: `ctr task resume long`, status: anyStatus},
	{name: "delete running", command: `ctr task rm long`, says: "must be stopped", status: 1},
	{name: "signal of an exec", command: `ctr task kill --exec-id d -s KILL long; until_says "^3$" sh -c ` +
		`'ctr task ps long | wc -l'; ctr task ps long | wc -l`, says: "3"},
	{name: "signal", command: `ctr task kill -s TERM long; ended long; ctr task ls`, says: "STOPPED",
		alike: []normalizer{numbers, spacing}},
	{name: "signal when stopped", command: `ctr task kill -s TERM long`, says: "not found", status: 1},
	{name: "delete", command: `ctr task rm long; ctr c rm long; ctr task ls`, says: "code 7"},
	{name: "created, then started", command: `ctr c create $IMAGE two echo started; ctr task start two; ctr c rm two`,
		says: "started"},
	{name: "restart", command: `ctr c create $IMAGE two mkdir /n; ctr task start two; ctr task start two; ctr c rm two`,
		says: "File exists"},
	{name: "kill", command: `ctr run $R -d $IMAGE k sleep 100; ctr task kill -s KILL k; ended k; ctr task rm k; echo $?; ` +
		`ctr c rm k`, says: "137"},
	{name: "kill all", command: `ctr run $R -d $IMAGE k sh -c 'sleep 100 & sleep 100'; ctr task kill -a -s KILL k; ended k; ` +
		`ctr task rm k; echo $?; ctr c rm k`, says: "137"},
	{name: "delete by force", command: `ctr run $R -d $IMAGE k sleep 100; ctr task rm -f k; echo $?; ctr c rm k; ctr task ls`,
		says: "137"},
	{name: "attach", command: `mkfifo /tmp/go; ctr run $R -d --mount type=bind,src=/tmp/go,dst=/go,options=bind $IMAGE k ` +
		`sh -c 'read x </go; echo attached; exit 5'; { sleep 2; echo >/tmp/go; } & ctr task attach k; ` +
		`s=$?; ctr task rm k; ctr c rm k; exit $s`, says: "attached", status: 5},
	{name: "events", command: `ctr events >/tmp/events & until_says 'probe' sh -c ` +
		`"{ ctr ns create probe; ctr ns rm probe; } >/dev/null 2>&1; cat /tmp/events"; temporary $IMAGE e true; ` +
		`until_says containers/delete cat /tmp/events; grep -v /namespaces/ /tmp/events | sed -n 's/.* default \(\/[a-z/]*\).*/\1/p'`,
		says: "/tasks/create"},
	{name: "log file", command: `ctr run $R -d --log-uri file:///tmp/log $IMAGE l sh -c 'echo logged; echo bad >&2'; ` +
		`until_says bad cat /tmp/log; ended l; ctr task rm l; ctr c rm l; sort /tmp/log`, says: "logged"},
	{name: "pid file", command: `ctr run $R -d --pid-file /tmp/pid $IMAGE l sleep 100; ` +
		`test "$(cat /tmp/pid)" = "$(ctr task ls | awk '$1 == "l" { print $2 }')"; echo $?; ` +
		`ctr task rm -f l; ctr c rm l`, says: "0"},
	{name: "configuration for CRI", command: `ctr plugins ls | awk '$2 == "cri" { print $NF }'; ` +
		`containerd config dump | grep -A9 'containerd.runtimes.'$NAME'.options' | grep -E "BinaryName|SystemdCgroup"`,
		says: "SystemdCgroup = true"},
	// To files, because ctr now and then loses what one of several says that end at once, whatever the runtime.
	{name: "many", command: `mkdir /tmp/many; for i in 1 2 3 4 5 6 7 8; do temporary ` +
		`--mount type=bind,src=/tmp/many,dst=/many,options=rbind:rw $IMAGE m$i sh -c "echo $i >/many/$i" & done; wait; ` +
		`cat /tmp/many/*`, says: "8"},
	{name: "nothing is left", command: `ctr c ls -q; ctr task ls -q; ls $(dirname $RUNTIME) | wc -l; ` +
		`ls -A /run/containerd/runc/default /run/containerd/io.containerd.runtime.v2.task/default; ` +
		`find /sys/fs/cgroup -path '*/default/*' -type d; grep -c 'runtime.v2.task/default' /proc/mounts`,
		says: "0", status: 1},
}
