package filtercache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// saved returns a directory with one entry, and the entry's file.
func saved(t *testing.T) (Dir, *Entry, string) {
	t.Helper()
	d, e := At(filepath.Join(t.TempDir(), "root", "filters")), sample()
	if _, err := d.Load(e.Compiler, e.Profile); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before there is a directory: %v", err)
	}
	if err := d.Save(e); err != nil {
		t.Fatal(err)
	}
	return d, e, filepath.Join(d.path, Name(e.Compiler, e.Profile))
}

func TestSaveAndLoad(t *testing.T) {
	d, e, path := saved(t)
	got, err := d.Load(e.Compiler, e.Profile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	if _, err := d.Load(e.Compiler, []byte("{}")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another profile: %v", err)
	}
	// the file of a profile with the same fingerprint
	other := sample()
	other.Profile = []byte("{}")
	if err := os.WriteFile(path, other.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(e.Compiler, e.Profile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the entry of another profile: %v", err)
	}
	if err := d.Save(e); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(e.Compiler, e.Profile); err != nil {
		t.Errorf("saved over it: %v", err)
	}
}

// TestNotBelieved: files that others could have written, and files that are no entries, are ignored.
func TestNotBelieved(t *testing.T) {
	testenv.Root(t)
	link := func(path string) error {
		if err := os.Rename(path, path+".away"); err != nil {
			return err
		}
		return os.Symlink(path+".away", path)
	}
	for _, c := range []struct {
		name   string
		change func(dir, path string) error
		want   string
	}{
		{"file of another user", func(_, path string) error { return os.Chown(path, 1234, 0) },
			"its owner is user 1234, not 0"},
		{"directory of another user", func(dir, _ string) error { return os.Chown(dir, 1234, 0) },
			"its owner is user 1234, not 0"},
		{"file that the group writes", func(_, path string) error { return os.Chmod(path, 0o660) }, "its mode is 0660"},
		{"directory that others write", func(dir, _ string) error { return os.Chmod(dir, 0o703) }, "its mode is 0703"},
		{"link to a file", func(_, path string) error { return link(path) }, "too many levels of symbolic links"},
		{"link to a directory", func(dir, _ string) error { return link(dir) }, "not a directory"},
		{"pipe", func(_, path string) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) },
			"not a regular file"},
		{"empty", func(_, path string) error { return os.Truncate(path, 0) }, "damaged"},
		{"cut", func(_, path string) error { return os.Truncate(path, 50) }, "cut short"},
		{"huge", func(_, path string) error { return os.Truncate(path, maxEntry+1) }, "want at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, e, path := saved(t)
			if err := c.change(d.path, path); err != nil {
				t.Fatal(err)
			}
			_, err := d.Load(e.Compiler, e.Profile)
			if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), d.path) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if strings.HasPrefix(c.name, "directory") || c.name == "link to a directory" {
				if err := d.Save(e); err == nil {
					t.Error("something was saved there")
				}
				return
			}
			if err := d.Save(e); err != nil {
				t.Errorf("saved anew: %v", err)
			}
			if _, err := d.Load(e.Compiler, e.Profile); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

// TestManyAtOnce: with many concurrent writers, a reader only finds whole entries, and at the end their number is
// within the limit.
func TestManyAtOnce(t *testing.T) {
	d := At(filepath.Join(t.TempDir(), "filters"))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range Most {
				e := sample()
				e.Profile = fmt.Appendf(nil, "%d", i*(w%2+1))
				if err := d.Save(e); err != nil {
					t.Errorf("save: %v", err)
				}
				if got, err := d.Load(e.Compiler, e.Profile); err == nil && !got.Is(e.Compiler, e.Profile) ||
					err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("load: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := d.Save(sample()); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(d.path)
	if err != nil || len(names) != Most {
		t.Errorf("%d files, %v", len(names), err)
	}
}

func TestFileOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filter")
	if err := Write(path, sample()); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, sample()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	got, err := Read(path)
	if diff := cmp.Diff(sample(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestCompiler: the mark of a program is always the same, and belongs to its file.
func TestCompiler(t *testing.T) {
	a, err := Compiler()
	b, err2 := Compiler()
	if a != b || len(strings.Fields(a)) != 5 || err != nil || err2 != nil {
		t.Errorf("%q %q %v %v", a, b, err, err2)
	}
}

func BenchmarkLoad(b *testing.B) {
	d, e := At(filepath.Join(b.TempDir(), "filters")), sample()
	e.Filter, e.Profile = make([]byte, 3000), make([]byte, 6000)
	if err := d.Save(e); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Load(e.Compiler, e.Profile); err != nil {
			b.Fatal(err)
		}
	}
}
