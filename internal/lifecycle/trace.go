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

// tracer writes a transcript of the handshake to a file as it passes.
type tracer struct {
	file *os.File
}

// open empties the file at path, or makes it. With an empty path the tracer does nothing.
func (t *tracer) open(path string) error {
	if path == "" {
		return nil
	}
	// Arguments and environments are taken out, but paths of the host are in it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	t.file = f
	return nil
}

// event is what spawn calls, or nil without --trace. A trace that cannot be written does not end the container.
func (t *tracer) event() func(transport.Event) {
	if t.file == nil {
		return account.Trace(nil)
	}
	return account.Trace(transcript.NewRecorder(t.file, syncproto.Parent, transcript.Options{}).Event)
}

// compiler returns what makes the program of a small child; nil for a conversation that is recorded, whose reader wants
// to see the configuration, and not a program made of it.
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
