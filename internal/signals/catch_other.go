//go:build !(amd64 || arm64) || handfast_ossignal

package signals

import (
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

func catch(s Set) error {
	c := make(chan os.Signal, Last)
	signal.Notify(c, list(s)...)
	go func() {
		for sig := range c {
			arrived(sig.(unix.Signal))
		}
	}()
	return nil
}

// arrived is what the handler does elsewhere.
func arrived(sig unix.Signal) {
	atomic.OrUint64(&pending, uint64(SetOf(sig)))
	one := [8]byte{7: 1} // any number but zero, whatever the byte order
	_, _ = unix.Write(int(atomic.LoadInt32(&wakes[sig-1])), one[:])
}

// Ignored reports whether the caller of this process had it ignore a signal, as nohup(1) does with SIGHUP.
func Ignored(sig unix.Signal) bool { return signal.Ignored(sig) }

// Default gives signals their standard action back.
func Default(s Set) { signal.Reset(list(s)...) }

func list(s Set) (all []os.Signal) {
	for s != 0 {
		var sig unix.Signal
		sig, s = s.Next()
		all = append(all, sig)
	}
	return all
}
