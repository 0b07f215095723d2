package main

// umoci returns the exercise of a bundle that skopeo and umoci have made of an image, and that the runtime itself runs.
func umoci() manager {
	return manager{
		name:     "umoci",
		programs: []string{"umoci", "skopeo", "newuidmap", "setpriv", "script", "ps"},
		version:  "umoci --version; skopeo --version",
		prepare: plainUser + `skopeo copy -q docker-archive:$ARCHIVE oci:/tmp/oci:latest
umoci unpack --image /tmp/oci:latest /tmp/bundle
cp /tmp/bundle/config.json /tmp/config.json
chmod -R a+rX /tmp/oci`,
		lines: prefixed(umociPrelude, umociLines),
	}
}

// umociPrelude starts each line from the configuration that umoci has written, without a terminal: "edit" changes it
// with sed(1), "args" gives the process's arguments as JSON.
const umociPrelude = `
rt() { $RUNTIME --root /run/states "$@"; }
edit() { sed -i "$1" /tmp/bundle/config.json; }
args() { edit '/"args": \[/,/\]/c"args": ['"$1"'],'; }
cp /tmp/config.json /tmp/bundle/config.json
edit 's/"terminal": true/"terminal": false/'
run() { args "$1"; rt run -b /tmp/bundle c; }
started() { args "$2"; rt create -b /tmp/bundle $1 </dev/null >/tmp/out.$1 2>&1 && rt start $1; }
is() { until_says "\"status\": \"$2\"" rt state $1; }
`

var umociLines = []line{
	// The bundle.
	{name: "list of tags", command: `umoci ls --layout /tmp/oci; umoci stat --image /tmp/oci:latest | wc -l`, says: "latest"},
	{name: "configuration", command: `grep -cE '"(path|terminal|args|env|mounts|namespaces)":' /tmp/config.json`, says: "6",
		status: anyStatus},
	{name: "run", command: `run '"echo", "hello"'`, says: "hello"},
	{name: "run, detached", command: `args '"sleep", "1000"'; rt run -d -b /tmp/bundle --pid-file /tmp/pid c </dev/null >/dev/null; ` +
		`is c running; test $(cat /tmp/pid) = $(rt state c | sed -n 's/.*"pid": \([0-9]*\).*/\1/p') && echo same; rt delete -f c`,
		says: "same"},
	{name: "status", command: `run '"sh", "-c", "exit 42"'`, status: 42},
	{name: "ended by a signal", command: `run '"sh", "-c", "exec 2>/dev/null; sleep 9 \& kill -9 $!; wait $!"'`, status: 137},
	{name: "terminal", command: `args '"tty"'; edit 's/"terminal": false/"terminal": true/'; ` +
		`in_terminal $RUNTIME --root /run/states run -b /tmp/bundle c`, says: "/dev/pts/0"},
	{name: "standard input", command: `args '"cat"'; echo through | rt run -b /tmp/bundle c`, says: "through"},
	{name: "environment", command: `run '"env"' | sort`, says: "FROM_IMAGE=yes"},
	{name: "confinement", command: `run '"grep", "-E", "^(Cap|Seccomp:|NoNewPrivs)", "/proc/self/status"'`, says: "CapEff"},
	{name: "mounts", command: `run '"sh", "-c", "tail -n +2 /proc/mounts"'`, says: "proc /proc proc"},
	{name: "program not found", command: `run '"none"'`, says: "not found in $PATH", status: anyStatus},
	{name: "program missing", command: `run '"/none"'`, says: "no such file", status: anyStatus},
	{name: "program not executable", command: `run '"/etc/not-executable"'`, says: "permission denied", status: anyStatus},
	{name: "interpreter missing", command: `run '"/etc/no-interpreter"'`, says: "no such file", status: anyStatus},
	{name: "configuration missing", command: `rt run -b /home c`, says: "config.json", status: 1},
	{name: "configuration that is no JSON", command: `echo '{' >/tmp/bundle/config.json; rt run -b /tmp/bundle c`, status: 1},
	{name: "id that is none", command: `rt run -b /tmp/bundle a/b`, says: "invalid", status: 1},

	// The life of a container.
	{name: "create", command: `args '"sh", "-c", "echo out; trap exit TERM; sleep 1000 \& wait"'; ` +
		`rt create -b /tmp/bundle --pid-file /tmp/pid c </dev/null >/tmp/out 2>&1; echo $?; cat /tmp/out`, says: "0", always: true},
	{name: "the same id", command: `rt create -b /tmp/bundle c`, says: "exist", status: 1},
	{name: "state", command: `rt state c`, says: `"status": "created"`, alike: []normalizer{replacing(`"pid": \d+`, `"pid": N`)}},
	{name: "list", command: `rt list`, says: "created", alike: []normalizer{numbers, spacing}},
	{name: "list of ids", command: `rt list -q`, says: "c"},
	{name: "list as JSON", command: `rt list -f json | tr ',' '\n' | grep -oE '"(id|status|bundle|owner)":"[^"]*"'`, says: "created"},
	{name: "exec in a created one", command: `rt exec c echo in`, says: "in"},
	{name: "start", command: `rt start c; is c running; until_says out cat /tmp/out; cat /tmp/out`, says: "out"},
	{name: "start twice", command: `rt start c`, says: "running", status: 1},
	{name: "exec", command: `rt exec c sh -c 'echo in; exit 3'`, says: "in", status: 3},
	{name: "exec in a terminal", command: `in_terminal $RUNTIME --root /run/states exec -t c tty`, says: "/dev/pts/"},
	{name: "exec of a user in a directory", command: `rt exec -u 1000:1000 --cwd /etc -e X=y c sh -c 'pwd; id -u; echo $X'`,
		says: "1000"},
	{name: "exec with a capability", command: `rt exec --cap CAP_SYS_TIME c grep CapEff /proc/self/status`, says: "CapEff"},
	{name: "exec without new privileges", command: `rt exec --no-new-privs c grep NoNewPrivs /proc/self/status`, says: "1"},
	{name: "exec of a file", command: `echo '{"args":["id","-u"],"cwd":"/","user":{"uid":5},"env":["PATH=/bin"]}' >/tmp/p.json; ` +
		`rt exec -p /tmp/p.json c`, says: "5"},
	{name: "exec detached", command: `rt exec -d --pid-file /tmp/pid c sleep 99; test -d /proc/$(cat /tmp/pid) && echo runs`,
		says: "runs"},
	{name: "exec not found", command: `rt exec c none`, says: "not found in $PATH", status: anyStatus},
	{name: "exec missing", command: `rt exec c /none`, says: "no such file", status: anyStatus},
	{name: "exec where no directory is", command: `rt exec --cwd /none c pwd`, says: "no such file", status: anyStatus},
	{name: "exec with descriptors", command: `rt exec --preserve-fds 1 c sh -c 'cat <&3' 3</tmp/p.json`, says: "args"},
	{name: "ps", command: `rt ps c | awk '{ print $NF }' | sort`, says: "1000"},
	{name: "ps as JSON", command: `rt ps -f json c | tr ',' '\n' | wc -l`, says: "3"},
	{name: "ps with options", command: `rt ps c -o pid,args | awk '{ print $2 }' | sort`, says: "sleep"},
	{name: "events", command: `rt events --stats c | grep -oE '"(type|id)":"[a-z]*"|"(cpu|memory|pids|blkio)":'`, says: "stats"},
	{name: "update", command: `rt update --memory 64m --cpu-share 512 --cpu-quota 50000 --cpu-period 100000 --pids-limit 50 c; ` +
		`limits_of c`, says: "67108864"},
	{name: "update from a file", command: `echo '{"memory":{"limit":83886080},"pids":{"limit":60}}' | rt update -r - c; limits_of c`,
		says: "83886080"},
	{name: "pause", command: `rt pause c; rt state c | grep status`, says: "paused"},
	{name: "exec while paused", command: `rt exec c true`, says: "paused", status: 255},
	{name: "pause twice", command: `rt pause c`, status: anyStatus},
	{name: "resume", command: `rt resume c; rt state c | grep status`, says: "running"},
	{name: "resume twice", command: `rt resume c`, status: anyStatus},
	{name: "delete running", command: `rt delete c`, says: "running", status: 1},
	{name: "signal that is none", command: `rt kill c NONE`, says: "NONE", status: 1},
	{name: "signal", command: `rt kill c TERM; is c stopped; rt state c | grep -E '"(status|pid)"'`, says: "stopped"},
	{name: "signal when stopped", command: `rt kill c TERM`, says: "not running", status: 1},
	{name: "exec when stopped", command: `rt exec c true`, says: "stopped", status: anyStatus},
	{name: "delete", command: `rt delete c; rt list -q`},
	{name: "delete again", command: `rt delete c`, says: "does not exist", status: 1},
	{name: "delete by force again", command: `rt delete -f c`},
	{name: "state of none", command: `rt state c`, says: "does not exist", status: 1},
	{name: "kill", command: `started k '"sleep", "1000"'; rt kill k KILL; is k stopped; rt delete k; rt list -q`},
	{name: "kill all", command: `started k '"sh", "-c", "sleep 1000 \& wait"'; rt kill -a k KILL; is k stopped; rt delete k`},
	{name: "delete by force", command: `started k '"sleep", "1000"'; rt delete -f k; rt list -q`},
	{name: "delete when created", command: `args '"true"'; rt create -b /tmp/bundle k </dev/null >/dev/null 2>&1; rt delete k; rt list -q`},
	{name: "read-only root", command: `edit 's/"path": "rootfs"/"path": "rootfs", "readonly": true/'; run '"touch", "/x"'`,
		says: "Read-only", status: 1},
	{name: "namespaces", command: `run '"ls", "/proc/self/ns"'; grep -c '"type": "' /tmp/config.json`, says: "cgroup"},
	{name: "specification", command: `mkdir -p /tmp/s; rt spec -b /tmp/s; rt spec -b /tmp/s`,
		says: "exist", status: 1},
	// In one stream, because runc copies two, and may swap what they say.
	{name: "run of the specification", command: `cp -r /tmp/bundle/rootfs /tmp/s/; cd /tmp/s; sed -i 's/"terminal": true/"terminal": false/' ` +
		`config.json; sed -i '/"args": \[/,/\]/c"args": ["sh", "-c", "exec 2>&1; id -u; hostname; touch /x"],' config.json; rt run c`, says: "Read-only",
		status: 1},
	{name: "rootless specification", command: `cp -r /tmp/bundle/rootfs /home/plain/; chown -R 2000:2000 /home/plain; ` +
		`plain '$RUNTIME spec --rootless; sed -i "s/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"id\"/" config.json; ` +
		`$RUNTIME run r'`, says: "uid=0(root)"},
	{name: "log as JSON", command: `rt --log /tmp/log --log-format json run -b /tmp/none c 2>/dev/null; grep -oE '"(level|msg|time)"' /tmp/log`,
		says: "msg"},
	{name: "version", command: `rt --version | sed -n 1p | cut -d' ' -f2`, says: "version"},
	{name: "option that is none", command: `rt run --none 2>&1 | grep -o -- -none | sort -u`, says: "-none"},

	// Back to an image.
	{name: "repack", command: `run '"sh", "-c", "echo new >/f; rm /etc/group"'; umoci repack --image /tmp/oci:new /tmp/bundle; ` +
		`umoci unpack --image /tmp/oci:new /tmp/again; cat /tmp/again/rootfs/f; ls /tmp/again/rootfs/etc | grep -c group`,
		says: "new", status: 1},
	{name: "copy to an archive", command: `skopeo copy -q oci:/tmp/oci:new docker-archive:/tmp/new.tar:new:latest; ` +
		`skopeo inspect docker-archive:/tmp/new.tar | grep -c '"Layers"'`, says: "1"},
	{name: "unpacked for other ids", command: `umoci unpack --uid-map 0:100000:65536 --gid-map 0:100000:65536 ` +
		`--image /tmp/oci:latest /tmp/mapped; chmod 755 /tmp/mapped; cd /tmp/mapped; sed -i 's/"terminal": true/"terminal": false/' config.json; ` +
		`sed -i '/"args": \[/,/\]/c"args": ["sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u /etc"],' config.json; rt run c`,
		says: "100000"},
	{name: "unpacked by a plain user", command: `plain 'umoci unpack --rootless --image /tmp/oci:latest b; cd b; ` +
		`sed -i "s/\"terminal\": true/\"terminal\": false/; s/\"\/bin\/sh\"/\"id\"/" config.json; $RUNTIME run c'`, says: "uid=0(root)"},

	{name: "nothing is left", command: `rt list -q; ls -A /run/states; find /sys/fs/cgroup -mindepth 2 -type d -name '[ck]'; ` +
		`grep -c /tmp/bundle /proc/mounts`, says: "0", status: 1},
}
