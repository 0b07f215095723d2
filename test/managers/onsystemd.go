package main

import "strings"

// onSystemd returns the exercises for a host where systemd is process 1 and control groups are version 2 alone. They
// are about what is different there: each container is in a scope of systemd's, and a plain user's in one of the user's
// own systemd. There is CRIU, too. They have no room of their own, for systemd starts processes outside of it.
func onSystemd() []manager {
	return []manager{
		{
			name:     "podman-systemd",
			programs: []string{"podman", "conmon", "criu", "systemctl"},
			version:  "podman --version",
			files:    map[string]string{"/etc/containers/containers.conf": containersConfSystemd},
			prepare:  "podman load -q -i $ARCHIVE\n" + sessionUser,
			lines:    prefixed(podmanPrelude+systemdPrelude, podmanOnSystemd),
		},
		{
			name:     "containerd-systemd",
			programs: []string{"containerd", "containerd-shim-runc-v2", "ctr", "systemctl"},
			version:  "containerd --version",
			files:    map[string]string{"/etc/containerd/config.toml": configTOML},
			daemon:   "exec containerd --log-level warn",
			prepare:  "until_ok ctr version; ctr image import $ARCHIVE",
			lines:    prefixed(containerdPrelude+systemdPrelude, containerdOnSystemd),
		},
		cri("cri-systemd", "", configTOML+sandboxTOML),
		cri("cri-2-systemd", builtPrelude, configTOML3),
		kubelet(),
	}
}

// builtPrelude prefers what was built of modules to what is of Debian's packages, though not to what was furnished.
const builtPrelude = "PATH=/usr/local/bin:$BUILT:$PATH\n"

// cri is the exercise of CRI. Its prelude chooses which containerd it is.
func cri(name, prelude, config string) manager {
	return manager{
		name:     name,
		programs: []string{"containerd", "containerd-shim-runc-v2", "ctr", "crictl", "systemctl"},
		version:  prelude + "containerd --version; crictl --version",
		files: map[string]string{
			"/etc/containerd/config.toml": config,
			"/etc/crictl.yaml":            "runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 60\n",
			"/tmp/pod.json":               podJSON,
			"/tmp/c.json":                 containerJSON,
		},
		daemon: prelude + "exec containerd --log-level warn",
		prepare: prelude + "until_ok ctr version; ctr -n k8s.io image import $ARCHIVE; ctr -n k8s.io image import " +
			pausePath,
		lines: prefixed(prelude+criPrelude+systemdPrelude, criOnSystemd),
	}
}

// configTOML3 is configTOML and sandboxTOML for containerd 2, where CRI has a plug-in for containers and one for
// images.
var configTOML3 = strings.NewReplacer("version = 2", "version = 3",
	"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime").Replace(configTOML) + `
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "` + pauseName + `"
`

// sandboxTOML is for a host without a network, from which images could come.
const sandboxTOML = `
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "` + pauseName + `"
`

// podJSON is a pod in the host's network, which needs no plug-in.
const podJSON = `{"metadata": {"name": "p", "namespace": "default", "uid": "u", "attempt": 1}, "log_directory": "/tmp/logs",
"linux": {"cgroup_parent": "exercise.slice", "security_context": {"namespace_options": {"network": 2},
"seccomp": {"profile_type": 0}}}}
`

const containerJSON = `{"metadata": {"name": "c"}, "image": {"image": "` + imageName + `"},
"command": ["sh", "-c", "echo out; echo err >&2; trap 'exit 7' TERM; sleep 100000 & wait"], "log_path": "c.log",
"envs": [{"key": "A", "value": "1"}], "working_dir": "/tmp",
"linux": {"resources": {"memory_limit_in_bytes": 67108864, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 1024,
"oom_score_adj": 100}, "security_context": {"run_as_user": {"value": 1000}, "no_new_privs": true,
"seccomp": {"profile_type": 0}, "namespace_options": {"network": 2}}}}
`

// criPrelude has the ids of the pod and of the container in files.
const criPrelude = `
pod() { cat /tmp/pod; }
c() { cat /tmp/c; }
`

// logHead is the beginning of crictl's own messages.
var logHead = replacing(`E\d{4} [\d:.]+ +\d+ `, "")

var criOnSystemd = []line{
	{name: "runtime", command: `crictl info | grep -oE '"(RuntimeReady|defaultRuntimeName)[^,]*|"systemdCgroup": true'`,
		says: "RuntimeReady"},
	{name: "pod", command: `mkdir -p /tmp/logs; crictl runp -r $NAME /tmp/pod.json >/tmp/pod; crictl pods -o json | ` +
		`grep -E '"(state|runtimeHandler)"'`, says: "SANDBOX_READY"},
	{name: "scope of the pod", command: `unit cri-containerd-$(pod).scope ActiveState Slice Delegate`, says: "Slice=exercise.slice"},
	{name: "created", command: `crictl create $(pod) /tmp/c.json /tmp/pod.json >/tmp/c; crictl inspect $(c) | grep '"state"'`,
		says: "CONTAINER_CREATED"},
	{name: "started", command: `crictl start $(c) >/dev/null; crictl inspect $(c) | grep '"state"'`, says: "CONTAINER_RUNNING"},
	{name: "scope", command: `unit cri-containerd-$(c).scope ActiveState Slice Delegate MemoryMax CPUQuotaPerSecUSec`,
		says: "MemoryMax=67108864"},
	{name: "limits", command: `limits_of cri-containerd-$(c).scope | sort -u`, says: "memory.max 67108864"},
	{name: "logs", command: `until_says err crictl logs $(c); crictl logs $(c) 2>&1 | sort`, says: "out"},
	{name: "exec", command: `crictl exec -s $(c) sh -c 'id -u; pwd; echo $A; cat /proc/self/cgroup /proc/self/oom_score_adj; ` +
		`grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status'`, says: "Seccomp:\t2"},
	{name: "exec with a stream", command: `echo through | crictl exec -i $(c) cat`, says: "through"},
	{name: "exec that fails", command: `crictl exec -s $(c) sh -c 'exit 3'; crictl exec -s $(c) none`, status: anyStatus,
		alike: []normalizer{logHead}},
	{name: "update", command: `crictl update --memory 83886080 --cpu-quota 25000 $(c) >/dev/null; ` +
		`limits_of cri-containerd-$(c).scope | sort -u`, says: "memory.max 83886080"},
	{name: "statistics", command: `crictl stats $(c) | tail -n +2 | wc -l`, says: "1"},
	{name: "shared namespaces", command: `for n in ipc uts net; do crictl exec -s $(c) readlink /proc/self/ns/$n; ` +
		`readlink /proc/$(crictl inspectp $(pod) | grep -oE '"pid": [0-9]+' | head -n 1 | cut -d' ' -f2)/ns/$n; done | sort | uniq -c | ` +
		`grep -c ' 2 '`, says: "3"},
	{name: "stop", command: `crictl stop --timeout 5 $(c) >/dev/null; crictl inspect $(c) | grep -E '"(state|exitCode)"'`,
		says: "CONTAINER_EXITED"},
	{name: "a program that is not there", command: `sed 's/"command": .*"log_path"/"command": ["none"], "log_path"/;s/"name": "c"/"name": "n"/' ` +
		`/tmp/c.json >/tmp/n.json; n=$(crictl create $(pod) /tmp/n.json /tmp/pod.json); crictl start $n; crictl inspect $n | ` +
		`grep -E '"(exitCode|reason)"'; crictl rm $n >/dev/null`, says: "not found in $PATH", status: anyStatus,
		alike: []normalizer{logHead}},
	{name: "remove", command: `crictl rm $(c) >/dev/null; crictl stopp $(pod) >/dev/null; crictl rmp $(pod) >/dev/null; crictl ps -aq; ` +
		`crictl pods -q | wc -l; gone cri-containerd-$(c).scope`, says: "inactive", status: 3},
	{name: "nothing is left", command: `systemctl list-units --all --plain --no-legend 'cri-*'; ` +
		`find /sys/fs/cgroup -name 'cri-*' | wc -l; ctr -n k8s.io c ls -q | wc -l`, says: "0"},
}

const containersConfSystemd = `[engine]
runtime = "handfast"
runtime_supports_json = ["handfast"]

[engine.runtimes]
handfast = ["/usr/local/bin/handfast"]

[containers]
netns = "none"
log_driver = "k8s-file"
`

// sessionUser makes a user with a systemd of its own, and a program that has that one run a command of sh(1).
const sessionUser = addPlain + `
grep -q ^plain: /etc/shadow || echo 'plain:*:20000:0:99999:7:::' >>/etc/shadow
loginctl enable-linger plain
until_ok test -S /run/user/2000/bus
cat >/usr/local/bin/plain <<'end'
#!/bin/sh
exec systemd-run --machine plain@.host --user --quiet --pipe --wait --collect -p WorkingDirectory=/home/plain -p KillMode=process \
	-E PATH=$PATH -E LC_ALL=C.UTF-8 -E IMAGE=$IMAGE -E ARCHIVE=$ARCHIVE -E RUNTIME=$RUNTIME sh -c "$*"
end
chmod 755 /usr/local/bin/plain
`

const systemdPrelude = `
# unit UNIT PROPERTY...: what systemd says of a unit.
unit() { u=$1; shift; systemctl show "$u" $(printf -- '-p %s ' "$@") | sort; }
# gone UNIT: waits until systemd no longer runs the unit.
gone() { until_says inactive systemctl is-active "$1"; systemctl is-active "$1"; }
`

var podmanOnSystemd = []line{
	{name: "run", command: `temporary $IMAGE sh -c 'echo hello; cat /proc/self/cgroup'`, says: "0::/"},
	{name: "detached", command: `podman run -d --name c --memory 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 ` +
		`--pids-limit 50 --cpuset-cpus 0 $IMAGE sleep 1000 >/tmp/id; podman inspect c --format '{{.State.Status}}'`,
		says: "running"},
	{name: "scope", command: `unit libpod-$(cat /tmp/id).scope ActiveState Slice Delegate MemoryMax MemoryLow TasksMax CPUWeight ` +
		`CPUQuotaPerSecUSec AllowedCPUs`, says: "MemoryMax=67108864"},
	{name: "limits", command: `limits_of libpod-$(cat /tmp/id).scope | sort -u`, says: "pids.max 50"},
	{name: "exec", command: `podman exec c sh -c 'cat /proc/self/cgroup; exit 3'`, says: "0::/", status: 3},
	{name: "statistics", command: `podman stats --no-stream --format '{{.Name}} {{.PIDs}}' c`, says: "c 1"},
	{name: "top", command: `podman top c args`, says: "sleep 1000"},
	{name: "update", command: `podman update --memory 80m --cpus 0.25 c >/dev/null; ` +
		`limits_of libpod-$(cat /tmp/id).scope | sort -u`, says: "memory.max 83886080"},
	{name: "pause", command: `podman pause c >/dev/null; cat /sys/fs/cgroup/machine.slice/libpod-$(cat /tmp/id).scope/cgroup.freeze; ` +
		`podman unpause c >/dev/null; podman inspect c --format '{{.State.Status}}'`, says: "running"},
	{name: "reload of systemd", command: `systemctl daemon-reload; podman exec c echo in; limits_of libpod-$(cat /tmp/id).scope | sort -u`,
		says: "memory.max 83886080"},
	{name: "device rules", command: `podman exec c sh -c 'exec 2>&1; : </dev/null && echo read; mknod /tmp/k c 1 1; : </tmp/k'`,
		says: "read", status: anyStatus},
	{name: "device rules after a reload", command: `podman exec c sh -c 'exec 2>&1; : </dev/zero && echo read; mknod /tmp/f c 10 229; : </tmp/f'`,
		says: "read", status: anyStatus},
	{name: "AppArmor", command: `podman exec c cat /proc/self/attr/current; temporary $IMAGE cat /proc/self/attr/current`,
		says: "containers-default-"},
	{name: "remove", command: `podman rm -f -t 0 c >/dev/null; gone libpod-$(cat /tmp/id).scope`, says: "inactive", status: 3},
	{name: "memory exceeded", command: `temporary --memory 32m --memory-swap 32m $IMAGE dd if=/dev/zero of=/dev/null bs=128M count=1`,
		status: 137},
	{name: "oom is known", command: `podman run --name o --memory 32m --memory-swap 32m $IMAGE dd if=/dev/zero of=/dev/null bs=128M ` +
		`count=1; podman inspect o --format '{{.State.OOMKilled}} {{.State.ExitCode}}'; podman rm o >/dev/null`, says: "137"},
	{name: "pod", command: `podman pod create --name p --infra-image $IMAGE --infra-command 'sleep 1000' >/dev/null; ` +
		`podman run -d --pod p --name p1 $IMAGE sleep 1000 >/dev/null; podman pod ps --format '{{.Name}} {{.Status}}'; ` +
		`podman pod rm -f -t 0 p | wc -l`, says: "p Running"},
	{name: "writable groups", command: `temporary --security-opt unmask=ALL --privileged $IMAGE sh -c ` +
		`'mkdir /sys/fs/cgroup/below && ls -d /sys/fs/cgroup/below'`, says: "/below"},

	// Checkpoints.
	{name: "counter", command: `podman run -d --name k $IMAGE sh -c 'i=0; while :; do i=$((i+1)); echo $i >/n; sleep 0.05; done' ` +
		`>/dev/null; until_ok podman exec k grep -q . /n; echo counts`, says: "counts"},
	{name: "checkpoint", command: `podman container checkpoint k; podman inspect k --format '{{.State.Status}} {{.State.Checkpointed}}'`,
		says: "exited true"},
	{name: "restore", command: `podman container restore k; podman inspect k --format '{{.State.Status}}'; ` +
		`a=$(podman exec k cat /n); sleep 1; b=$(podman exec k cat /n); [ "$b" -gt "$a" ] && echo counts`, says: "counts"},
	{name: "exec after the restore", command: `podman exec k sh -c 'echo in; cat /proc/self/cgroup'`, says: "in"},
	{name: "checkpoint that leaves it running", command: `podman container checkpoint -R k; ` +
		`podman inspect k --format '{{.State.Status}}'`, says: "running"},
	{name: "export of a checkpoint", command: `podman container checkpoint --compress gzip --export /tmp/k.tar.gz k >/dev/null; podman rm k >/dev/null; ` +
		`tar tzf /tmp/k.tar.gz | grep -c checkpoint/inventory.img`, says: "1"},
	{name: "import of a checkpoint", command: `podman container restore --import /tmp/k.tar.gz --name l >/dev/null; ` +
		`a=$(podman exec l cat /n); sleep 1; b=$(podman exec l cat /n); [ "$b" -gt "$a" ] && echo counts; podman rm -f -t 0 l`,
		says: "counts"},
	{name: "checkpoint of one that is not there", command: `podman container checkpoint none`, status: 125},

	// A plain user, whose containers are in scopes of the user's own systemd.
	{name: "rootless", command: `plain 'podman load -q -i $ARCHIVE; podman run --rm $IMAGE id'`, says: "uid=0(root)"},
	{name: "rootless limits", command: `plain 'podman run -d --name r --memory 64m --pids-limit 50 $IMAGE sleep 1000 >r.id; ` +
		`systemctl --user show libpod-$(cat r.id).scope -p MemoryMax -p TasksMax -p Slice | sort'`, says: "MemoryMax=67108864"},
	{name: "rootless exec", command: `plain 'podman exec r sh -c "cat /proc/self/cgroup; id -u"'`, says: "0::/"},
	{name: "rootless pause", command: `plain 'podman pause r >/dev/null; podman ps --format "{{.Status}}" --filter status=paused; ` +
		`podman unpause r >/dev/null'`, says: "Paused"},
	{name: "rootless statistics", command: `plain 'podman stats --no-stream --format "{{.Name}} {{.PIDs}}" r'`, says: "r 1"},
	{name: "rootless remove", command: `plain 'podman rm -f -t 0 r >/dev/null; systemctl --user is-active libpod-$(cat r.id).scope'`,
		says: "inactive", status: 3},

	{name: "nothing is left", command: `podman ps -aq; systemctl list-units --all --plain --no-legend 'libpod*' | grep -v conmon; ` +
		`find /sys/fs/cgroup -name 'libpod-*' -type d | grep -v conmon; ` +
		`grep -c /merged /proc/mounts`, says: "0", status: 1},
}

var containerdOnSystemd = []line{
	{name: "run", command: `temporary --runc-systemd-cgroup --cgroup system.slice:exercise:a $IMAGE a sh -c 'cat /proc/self/cgroup'`,
		says: "0::/"},
	{name: "detached", command: `ctr run $R -d --runc-systemd-cgroup --cgroup system.slice:exercise:c --memory-limit 67108864 ` +
		`--cpus 0.5 $IMAGE c sleep 1000; ctr task ls | grep -c RUNNING`, says: "1"},
	{name: "scope", command: `unit exercise-c.scope ActiveState Slice Delegate MemoryMax CPUQuotaPerSecUSec TasksMax`,
		says: "MemoryMax=67108864"},
	{name: "limits", command: `limits_of exercise-c.scope | sort -u`, says: "memory.max 67108864"},
	{name: "exec", command: `ctr task exec --exec-id e c sh -c 'cat /proc/self/cgroup; exit 3'`, says: "0::/", status: 3},
	{name: "metrics", command: `ctr task metrics c | grep usage_limit`, says: "67108864"},
	{name: "pause", command: `ctr task pause c; ctr task ls | grep -c PAUSED; ctr task resume c; ctr task ls | grep -c RUNNING`,
		says: "1"},
	{name: "checkpoint", command: `ctr task checkpoint --image-path /tmp/images c >/dev/null; ls /tmp/images | grep -c '^core-'`,
		says: "1"},
	{name: "remove", command: `ctr task rm -f c; ctr c rm c; gone exercise-c.scope`, says: "inactive", status: 3},
	{name: "nothing is left", command: `ctr c ls -q; systemctl list-units --all --plain --no-legend 'exercise*'; ` +
		`find /sys/fs/cgroup -name 'exercise-*' | wc -l`, says: "0"},
}
