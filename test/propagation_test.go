package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

var bindOptions = []string{"none", "private", "rprivate", "slave", "rslave", "shared", "rshared"}

// propagationScript runs in a mount namespace of its own, which acts as the host of a container. Its arguments are the
// command that runs the runtime, the bundle, the propagation of the mounts that hold the root file system and the
// source of the binds, and the options of the binds. It prints a line for each bind and one for the root: the optional
// fields of mountinfo, whether the container sees what the host mounts below the source afterwards, and whether the
// host sees what the container mounts. The last line is how many of the host's mounts the container removed.
const propagationScript = `
runtime=$1 bundle=$2 kind=$3 options=$4
cd "$bundle"
prepare() { # directory, directory of its master
	case $kind in
	private) mount -t tmpfs x $1 ;;
	shared) mount -t tmpfs x $1 && mount --make-shared $1 ;;
	slave) mount -t tmpfs x $2 && mount --make-shared $2 && mount --bind $2 $1 && mount --make-slave $1 ;;
	esac || exit 1
}
src=src root=root
if [ $kind != slash ]; then
	prepare src m1; prepare root m2
	[ $kind = slave ] && src=m1 root=m2
else
	mount --make-rshared / || exit 1
fi
for d in bin proc dev sys host cont b; do mkdir -p root/$d; done
mkdir -p src/host src/sub
cp "$BUSYBOX" root/bin/busybox
for a in sh sleep mount cat; do ln -sf busybox root/bin/$a; done
mount -t tmpfs sub src/sub || exit 1
[ $kind = private ] || mount --make-shared src/sub
inside=
for o in $options; do mkdir -p src/cont_$o; inside="$inside mount -t tmpfs x /b/$o/cont_$o;"; done
before=$(wc -l </proc/self/mountinfo)
$runtime run --detach -b . p </dev/null >out 2>&1 || { cat out; exit 1; }
during=$(wc -l </proc/self/mountinfo)
mount -t tmpfs x $src/host && mount -t tmpfs x $root/host || exit 1
$runtime exec p sh -c "$inside mount -t tmpfs x /cont; cat /proc/self/mountinfo" >inside 2>&1
fields() { awk -v p="$1" '$5 == p { r = ""; for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); r = r (r ? "+" : "") $i } } END { print r == "" ? "private" : r }' inside; }
yes() { if grep -q " $1 " $2; then echo $3; else echo -; fi; }
for o in $options; do
	echo "$kind $o: $(fields /b/$o), below $(fields /b/$o/sub), in $(yes /b/$o/host inside arrives), out $(yes "$bundle/src/cont_$o" /proc/self/mountinfo arrives)"
done
echo "$kind root: $(fields /), in $(yes /host inside arrives), out $(yes "$bundle/root/cont" /proc/self/mountinfo arrives)"
$runtime delete --force p
[ "$before" = "$during" ] || { echo "the host had $before mounts, and $during once the container ran:"; cat /proc/self/mountinfo; }
`

// TestPropagation tests each value of linux.rootfsPropagation with each propagation of a bind, with sources and roots
// on mounts that are shared, slaves, private, and the host's own root. The golden file equals runc 1.1, except for the
// root itself: runc leaves it private with shared and unbindable, and cannot start with runbindable.
func TestPropagation(t *testing.T) {
	var all strings.Builder
	for _, value := range []string{"", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable",
		"runbindable"} {
		fmt.Fprintf(&all, "rootfsPropagation %q\n", value)
		for _, kind := range []string{"shared", "slave", "private", "slash"} {
			all.WriteString(propagationOf(t, value, kind))
		}
	}
	golden.Compare(t, filepath.Join("testdata", "propagation.txt"), all.String())
}

func propagationOf(t *testing.T, value, kind string) string {
	t.Helper()
	r := newRuntime(t)
	bundle := testenv.Bundle(t, "root", func(c map[string]any) {
		testenv.SetArgs(c, "/bin/sleep", "1000")
		caps := []any{"CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"}
		process(c)["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
		if value != "" {
			linux(c)["rootfsPropagation"] = value
		}
	})
	edit(t, bundle, func(c map[string]any) {
		for _, o := range bindOptions {
			options := []string{"rbind", o}
			if o == "none" {
				options = options[:1]
			}
			addMount(c, "/b/"+o, "bind", filepath.Join(bundle, "src"), options...)
		}
	})
	for _, dir := range []string{"src", "root", "m1", "m2"} {
		if err := os.Mkdir(filepath.Join(bundle, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", propagationScript, "sh",
		r.binary+" --root "+r.root, bundle, kind, strings.Join(bindOptions, " "))
	cmd.Env = append(os.Environ(), "BUSYBOX="+testenv.Tool(t, "busybox", "busybox-static"))
	o := finish(t, cmd)
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("%q, %s: status %d: %s%s", value, kind, o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

// TestPropagationOfAUserNamespace: in a user namespace every mount is a slave of the host's, even one that the parent
// opens because the container's root may not search its path. Mounts below it never reach the host.
func TestPropagationOfAUserNamespace(t *testing.T) {
	r := newRuntime(t)
	dir := filepath.Join(testenv.Dir(t), "closed", "open")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bundle := shell(t, "cat /home/mark && mount -t tmpfs x /home/in && grep -c ' /home/in ' /proc/self/mountinfo",
		func(c map[string]any) {
			testenv.MapIDs(c, 300000, 65536)
			caps := []any{"CAP_SYS_ADMIN"}
			process(c)["capabilities"] = map[string]any{"bounding": caps, "effective": caps, "permitted": caps}
			linux(c)["rootfsPropagation"] = "rshared"
			addMount(c, "/home", "bind", dir, "rbind", "rshared")
		})
	script := `mount -t tmpfs x ` + dir + ` && mount --make-rshared / && mkdir -m 777 ` + dir + `/in && echo seen >` + dir + `/mark && chmod 700 ` + filepath.Dir(dir) + ` &&
		"$@"; echo status $?; grep ' ` + dir + `/in ' /proc/self/mountinfo`
	cmd := r.command("run", "-b", bundle, testenv.ID(t))
	wrapped := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh"},
		cmd.Args...)...)
	if o := finish(t, wrapped); o.stdout != "seen\n1\nstatus 0\n" {
		t.Errorf("%q %q", o.stdout, o.stderr)
	}
}
