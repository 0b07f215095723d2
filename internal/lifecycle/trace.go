package lifecycle

import (
	"fmt"
	"os"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
)

// tracer writes a transcript of the handshake to a file while the handshake runs.
type tracer struct {
	file *os.File
}

// open truncates or creates the file at path. With an empty path the tracer does nothing.
func (t *tracer) open(path string) error {
	if path == "" {
		return nil
	}
	// The transcript omits arguments and environments, but contains paths of the host.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	t.file = f
	return nil
}

// event returns the function that spawn calls for each event. A trace that cannot be written does not end the
// container.
func (t *tracer) event() func(transport.Event) {
	if t.file == nil {
		return account.Trace(nil)
	}
	return account.Trace(transcript.NewRecorder(t.file, syncproto.Parent, transcript.Options{}).Event)
}

// compiler returns the compiler that makes the program of a small child. It returns nil if the conversation is
// recorded, because the reader of a transcript wants to see the configuration, and not a program made from it.
func (t *tracer) compiler() spawn.Compiler {
	if t.file != nil {
		return nil
	}
	return nsinit.Compile
}

func (t *tracer) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}
