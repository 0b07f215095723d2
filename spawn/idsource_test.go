package spawn

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

func TestHostSource(t *testing.T) {
	bind := func(destination, source string) container.Mount {
		return container.Mount{Destination: destination, Source: source, Bind: true}
	}
	recursive := func(destination, source string) container.Mount {
		m := bind(destination, source)
		m.Recursive = true
		return m
	}
	for _, c := range []struct {
		root   string
		mounts []container.Mount // the last one is asked about
		want   string            // empty: an error
	}{
		{"/r", []container.Mount{bind("/a", "/srv/a")}, "/srv/a"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/r/a")}, "/srv/a"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/r/a/x/../y/")}, "/srv/a/y"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/r/ab")}, "/r/ab"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/ra")}, "/ra"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/a/b", "/srv/b"), bind("/c", "/r/a/b/c")}, "/srv/b/c"},
		{"/r", []container.Mount{bind("/a/b", "/srv/b"), bind("/a", "/srv/a"), bind("/c", "/r/a/b/c")}, "/srv/a/b/c"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/r/a"), bind("/c", "/r/b/x")}, "/srv/a/x"},
		{"/r", []container.Mount{bind("/c", "/r/a"), bind("/a", "/srv/a")}, "/srv/a"},
		{"/r", []container.Mount{{Destination: "/t", Type: "tmpfs"}, bind("/b", "/r/t/x")}, ""},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/a/b", "/srv/b"), bind("/c", "/r/a")}, "/srv/a"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/a/b", "/srv/b"), recursive("/c", "/r/a")}, ""},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/a/b", "/srv/b"), recursive("/c", "/r/a/b")}, "/srv/b"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), bind("/ab", "/srv/b"), recursive("/c", "/r/a")}, "/srv/a"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), recursive("/c", "/srv/a")}, "/srv/a"},
		{"/r", []container.Mount{bind("/a", "/srv/a"), recursive("/c", "/r/")}, ""},
		{"/", []container.Mount{bind("/a", "/srv/a"), bind("/b", "/a/x")}, "/srv/a/x"},
		{"/r", []container.Mount{bind("/", "/srv/a"), bind("/b", "/r/x")}, "/srv/a/x"},
	} {
		got, err := hostSource(&Container{Root: container.Root{Path: c.root}, Mounts: c.mounts}, len(c.mounts)-1)
		if got != c.want || errors.Is(err, unix.EINVAL) != (c.want == "") {
			t.Errorf("%+v: %q, %v, want %q", c.mounts, got, err, c.want)
		}
	}
}
