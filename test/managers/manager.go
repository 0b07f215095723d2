package main

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/testenv/module"
)

// A manager is what the exercise of one container manager consists of: values alone, which inside.go carries out.
type manager struct {
	name     string
	programs []string          // what must be installed
	built    []module.Program  // what is built of modules, because no package has it
	control  string            // name of what is built to compare with, in place of that of the command line
	version  string            // command that prints its version
	files    map[string]string // its configuration, by path: for the runtime that handfastName names
	daemon   string            // command that runs in the background; empty: none
	prepare  string            // command after the start of the daemon: waits for it, and loads the image
	lines    []line
	byName   bool // it runs only if it is requested by its whole name
}

// A line of an exercise is one command of sh(1), with prelude before it and the variables of environment.
type line struct {
	name    string
	command string
	// says must be in its output: an exercise whose commands fail, or print nothing, compares nothing.
	says string
	// status is the exit status that it must have; anyStatus is for one that differs.
	status int
	// alike says what else is not compared, besides what normalize always replaces.
	alike []normalizer
	// always is for a line that others rely on: -line does not leave it out.
	always bool
}

// anyStatus is the status of a line whose status is only compared.
const anyStatus = -1

// wanted says whether the manager runs with this value of the option -run.
func (m manager) wanted(run string) bool {
	return run == m.name || !m.byName && strings.Contains(m.name, run)
}

// managers returns every manager, in the order in which they run.
func managers() []manager {
	return []manager{containerd(), podman(), docker(), buildah(), buildkit(), umoci(), docker29()}
}

// A record is what an exercise printed.
type record struct {
	Version string
	Lines   []output
}

// An output is what a line of the exercise printed, standard output and standard error in one, and how it ended.
type output struct {
	Name, Text string
	Status     int
	Late       bool // it was killed because it took too long
}

// Runtimes have these names in the configuration of managers. Some do not let a runtime have the name "runc".
const (
	handfastName = "handfast"
	controlName  = "runc-control"
)

// handfastPath is where docs/integrations.md says that the binary is, and where it is in the room.
const handfastPath = "/usr/local/bin/handfast"

// A runtime is one of those that an exercise is run with.
type runtime struct {
	name string // in the manager's configuration
	file string // of the host
	path string // in the room
}

func runtimeOf(name, file string) runtime { return runtime{name, file, "/usr/local/bin/" + name} }

// adapt changes a configuration for handfast to one for this runtime.
func (r runtime) adapt(text string) string {
	return strings.NewReplacer(handfastPath, r.path, handfastName, r.name).Replace(text)
}

// environment returns the variables of the exercise's commands.
func (r runtime) environment() []string {
	path, built := "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", os.Getenv(builtEnv)
	if built != "" {
		path += ":" + built
	}
	return []string{
		path, "HOME=/root", "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=xterm",
		"RUNTIME=" + r.path, "NAME=" + r.name, "IMAGE=" + imageName, "ARCHIVE=" + archivePath, "BUILT=" + built,
	}
}

// prelude comes before every command.
const prelude = `
# until_ok COMMAND: repeats the command until it succeeds, for 40 seconds or more.
until_ok() {
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n+1)); [ $n -lt 800 ] || { echo "never: $*"; return 1; }
		sleep 0.05
	done
}
# until_says WORDS COMMAND: repeats the command until its output holds the words.
until_says() {
	words=$1; shift; n=0
	until "$@" 2>&1 | grep -q -- "$words"; do
		n=$((n+1)); [ $n -lt 800 ] || { echo "never says $words: $*"; "$@"; return 1; }
		sleep 0.05
	done
}
# limits_of GROUP: prints the limits of a control group, of whatever version.
limits_of() {
	for f in memory.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness cpu.shares cpu.cfs_quota_us \
		cpu.cfs_period_us cpuset.cpus pids.max blkio.bfq.weight memory.max memory.low cpu.weight cpu.max; do
		find /sys/fs/cgroup -path "*/$1/$f" | while read file; do echo "$f $(cat $file)"; done
	done
}
# in_terminal COMMAND: runs the command with a terminal, whose output it prints.
in_terminal() { script -qefc "$*" /dev/null </dev/null; }
`

// chosen returns the lines whose names contain the word, and those that always run.
func (m manager) chosen(word string) (lines []line) {
	for _, l := range m.lines {
		if l.always || strings.Contains(l.name, cmp.Or(word, l.name)) {
			lines = append(lines, l)
		}
	}
	return lines
}

// prefixed returns copies of the lines with a text before each command.
func prefixed(text string, lines []line) []line {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i].command = text + lines[i].command
	}
	return lines
}

// propagation returns a command that mounts something below a volume of the given propagation, outside and then inside
// of a container, and counts who sees it on the other side.
func propagation(kind string) string {
	return `mkdir -p /tmp/shared/v; echo 0 >/tmp/n; rm -f /tmp/pipe /tmp/back; mkfifo /tmp/pipe /tmp/back
{ read x </tmp/back; mkdir -p /tmp/shared/v/o; mount -t tmpfs outer /tmp/shared/v/o; echo >/tmp/pipe
  read x </tmp/back; grep -c inner /proc/mounts >/tmp/n; echo >/tmp/pipe; } &
privileged $(volume /tmp/shared/v /v ` + kind + `) $(volume /tmp /host rprivate) $IMAGE sh -c '
echo >/host/back; read x </host/pipe; echo inside $(grep -c outer.*/v/o /proc/mounts)
mkdir /v/i; mount -t tmpfs inner /v/i; echo >/host/back; read x </host/pipe; umount /v/i'
wait; echo outside $(cat /tmp/n); umount /tmp/shared/v/o; rmdir /tmp/shared/v/*`
}

// plainUser makes a user of the room with subordinate ids, and a program that runs a command of sh(1) as that user.
const plainUser = addPlain + `
mkdir -p /run/user/2000
chown 2000:2000 /run/user/2000
cat >/usr/local/bin/plain <<'end'
#!/bin/sh
exec setpriv --reuid 2000 --regid 2000 --clear-groups --reset-env env XDG_RUNTIME_DIR=/run/user/2000 PATH=$PATH \
	LC_ALL=C.UTF-8 IMAGE=$IMAGE ARCHIVE=$ARCHIVE RUNTIME=$RUNTIME sh -c "cd; $*"
end
chmod 755 /usr/local/bin/plain
`

// addPlain makes the user plain with subordinate ids.
const addPlain = `
grep -q ^plain: /etc/passwd || echo plain:x:2000:2000::/home/plain:/bin/sh >>/etc/passwd
grep -q ^plain: /etc/group || echo plain:x:2000: >>/etc/group
echo plain:200000:65536 | tee /etc/subuid >/etc/subgid
mkdir -p /home/plain
chown 2000:2000 /home/plain
`
