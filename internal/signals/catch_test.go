//go:build (amd64 || arm64) && !handfast_ossignal

package signals_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/signals"
)

// What the kernel lets nobody catch is refused.
func TestCatchRefuses(t *testing.T) {
	fd, err := signals.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	if err := signals.Catch(signals.SetOf(unix.SIGKILL), fd); !errors.Is(err, unix.EINVAL) {
		t.Errorf("SIGKILL: %v", err)
	}
}

// Whether a signal is ignored can be asked for, before and after.
func TestIgnored(t *testing.T) {
	fd, err := signals.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	set := signals.SetOf(45)
	if signals.Ignored(45) {
		t.Error("a signal that nobody ignores is ignored")
	}
	if err := signals.Catch(set, fd); err != nil {
		t.Fatal(err)
	}
	raise(t, 45)
	taken(t, set, fd)
	if signals.Default(set); signals.Ignored(45) {
		t.Error("the standard action is to ignore")
	}
}
