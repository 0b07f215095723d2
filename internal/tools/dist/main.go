// Command dist makes what a release consists of: for each architecture the program, its bill of materials and its
// Debian package, and the checksums of all. It builds the commit that is checked out, not the files in the tree; makes
// everything twice, in clones of different paths with build caches of their own and in different time zones, and fails
// when two files differ; and then tries what came out (see check.go). Run it from the module's root, as root.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	names := flag.String("arch", "", "only these architectures, with commas between them (default all)")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	unix.Umask(0o022) // The modes of a package's directories are those on the disk.
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if err := run(ctx, *names); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf("dist: "+format+"\n", args...) }

func run(ctx context.Context, names string) (err error) {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	from, err := os.Getwd()
	if err != nil {
		return err
	}
	commit, err := output(exec.CommandContext(ctx, "git", "rev-parse", "HEAD"))
	if err != nil {
		return err
	}
	commit = strings.TrimSpace(commit)
	scratch, err := os.MkdirTemp("", "handfast-dist-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	var builds []*build
	for _, p := range []struct{ path, zone string }{
		{"first", "UTC"}, {"a-second-place/of-another-length", "Pacific/Kiritimati"},
	} {
		dir := filepath.Join(scratch, p.path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		say("building commit %s in %s", commit, dir)
		b, err := newBuild(ctx, dir, from, commit, "TZ="+p.zone)
		if err != nil {
			return err
		}
		if err := b.all(ctx, chosen); err != nil {
			return err
		}
		builds = append(builds, b)
	}
	if err := same(builds[0].out, builds[1].out); err != nil {
		return err
	}
	b := builds[0]
	if err := check(ctx, b, chosen, scratch); err != nil {
		return err
	}
	sums, err := checksums(b.out)
	if err != nil {
		return err
	}
	if err := os.RemoveAll("dist"); err != nil {
		return err
	}
	if err := os.CopyFS("dist", os.DirFS(b.out)); err != nil {
		return err
	}
	if err := os.WriteFile("dist/SHA256SUMS", sums, 0o644); err != nil {
		return err
	}
	say("dist holds %s, commit %s, made twice with the same result:", b.version, commit)
	_, err = os.Stdout.Write(sums)
	return err
}

// same fails unless the two directories hold the same files with the same bytes.
func same(a, b string) error {
	one, err := read(a, "*")
	if err != nil {
		return err
	}
	other, err := read(b, "*")
	if err != nil {
		return err
	}
	var different []error
	for name, data := range one {
		if found, there := other[name]; !there || !bytes.Equal(data, found) {
			different = append(different, fmt.Errorf("%s is not the same in the second build", name))
		}
	}
	for name := range other {
		if _, there := one[name]; !there {
			different = append(different, fmt.Errorf("%s is only in the second build", name))
		}
	}
	return errors.Join(different...)
}
