package main

// kubelet returns the exercise of a kubelet that has no cluster: it runs the pods whose manifests are in a directory.
func kubelet() manager {
	c := cri("kubelet-systemd", builtPrelude, configTOML3)
	c.programs = append(c.programs, "kubelet")
	c.version = builtPrelude + "containerd --version; kubelet --version"
	c.files["/tmp/kubelet.yaml"] = kubeletYAML
	c.files["/tmp/web.yaml"] = webYAML
	c.daemon = builtPrelude + `containerd --log-level warn &
mkdir -p /tmp/pods
until_ok ctr version
until_ok ctr -n k8s.io image ls name==` + pauseName + `
exec kubelet --config /tmp/kubelet.yaml --hostname-override node`
	c.prepare += "\nuntil_says ok busybox wget -qO- http://127.0.0.1:10248/healthz"
	c.lines = prefixed(builtPrelude+systemdPrelude+kubeletPrelude, kubeletLines)
	return c
}

const kubeletYAML = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /tmp/pods
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: systemd
failSwapOn: false
address: 127.0.0.1
readOnlyPort: 10255
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
fileCheckFrequency: 1s
syncFrequency: 2s
evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
`

// webYAML is a pod in the host's network, with a container that its probe finds ill on demand, and one that is
// confined.
const webYAML = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 2
  containers:
  - name: c
    image: ` + imageName + `
    imagePullPolicy: Never
    command: [sh, -c, "echo out; trap 'exit 0' TERM; sleep 100000 & wait"]
    resources: {limits: {memory: 64Mi, cpu: 500m}}
    livenessProbe: {exec: {command: [test, "!", -e, /tmp/ill]}, periodSeconds: 5, failureThreshold: 1, timeoutSeconds: 20}
    volumeMounts: [{name: e, mountPath: /e}]
  - name: d
    image: ` + imageName + `
    imagePullPolicy: Never
    command: [sleep, "100000"]
    resources: {limits: {memory: 32Mi, cpu: 600m}}
    securityContext:
      runAsUser: 1000
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL]}
      seccompProfile: {type: RuntimeDefault}
    volumeMounts: [{name: e, mountPath: /e, readOnly: true}]
  volumes:
  - name: e
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
`

const kubeletPrelude = `
c() { crictl ps -q --name "^$1$"; }
attempt() { crictl ps --name "^$1$" -o json | grep -o '"attempt": [0-9]*'; }
`

var kubeletLines = []line{
	{name: "pod", command: `cp /tmp/web.yaml /tmp/pods; until_ok sh -c 'crictl ps --name "^d$" | grep -q Running'; ` +
		`crictl pods -o json | grep -E '"(state|name|runtimeHandler)"'`, says: "SANDBOX_READY"},
	{name: "phase", command: `until_says '"phase":"Running"' busybox wget -qO- http://127.0.0.1:10255/pods; echo running`,
		says: "running"},
	{name: "scope", command: `unit cri-containerd-$(c c).scope ActiveState Slice Delegate MemoryMax CPUQuotaPerSecUSec`,
		says: "MemoryMax=67108864"},
	{name: "limits", command: `limits_of cri-containerd-$(c c).scope | sort -u`, says: "memory.max 67108864"},
	{name: "logs", command: `until_says out crictl logs $(c c); crictl logs $(c c)`, says: "out"},
	{name: "confinement", command: `crictl exec -s $(c d) sh -c 'exec 2>&1; id; touch /x; ` +
		`grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/self/status'`, says: "Seccomp:\t2"},
	{name: "volume", command: `crictl exec -s $(c c) sh -c 'echo data >/e/f'; ` +
		`crictl exec -s $(c d) sh -c 'exec 2>&1; cat /e/f; touch /e/g; grep " /e " /proc/mounts'`, says: "Read-only"},
	{name: "shared namespaces", command: `for c in c d; do crictl exec -s $(c $c) sh -c ` +
		`'cd /proc/self/ns; for n in ipc uts net pid; do readlink $n; done'; done | sort | uniq -c | grep -c ' 2 '`, says: "3"},
	{name: "a probe that fails", command: `crictl exec -s $(c c) touch /tmp/ill; until_says '"attempt": 1' attempt c; attempt c`,
		says: "1"},
	{name: "a container that ends", command: `crictl stop --timeout 0 $(c d) >/dev/null; until_says '"attempt": 1' attempt d; attempt d`,
		says: "1"},
	{name: "statistics", command: `busybox wget -qO- http://127.0.0.1:10255/stats/summary | grep -cE '"name": "(c|d)"'`, says: "2"},
	{name: "removed", command: `rm /tmp/pods/web.yaml; until_ok sh -c 'test -z "$(crictl pods -q --state ready)"'; ` +
		`until_ok sh -c '! systemctl list-units --plain --no-legend "cri-*" | grep -q .'; crictl ps -q; echo gone`, says: "gone"},
	{name: "nothing is left", command: `crictl rmp -fa >/dev/null; find /sys/fs/cgroup -name 'cri-*' | wc -l; ctr -n k8s.io c ls -q | wc -l`,
		says: "0"},
}
