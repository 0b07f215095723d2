//go:build race || msan || asan || handfast_nofork

package rawfork

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCannotFork(t *testing.T) {
	p := &Program{}
	if err := p.Execute(0, []string{"x"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(p, Options{Cgroup: -1}); !errors.Is(err, unix.ENOSYS) || Available {
		t.Errorf("%v, available %t", err, Available)
	}
}
