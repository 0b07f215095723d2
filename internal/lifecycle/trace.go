package lifecycle

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/handfast/handfast/spawn"
)

// TraceLine is one frame of the handshake as --trace writes it.
type TraceLine struct {
	T     int64  `json:"t"` // nanoseconds since the handshake began
	Dir   string `json:"dir"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Seq   uint16 `json:"seq"`
	Re    uint16 `json:"re"`
	Size  int    `json:"size"` // bytes
	FDs   int    `json:"fds"`
	Phase string `json:"phase"`
}

// tracer writes frames to a file as they pass.
type tracer struct {
	file *os.File
}

// open empties the file at path, or makes it. With an empty path the tracer does nothing.
func (t *tracer) open(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--trace: %w", err)
	}
	t.file = f
	return nil
}

// event is what spawn calls, or nil where nobody asked.
func (t *tracer) event() func(spawn.TraceEvent) {
	if t.file == nil {
		return nil
	}
	return func(e spawn.TraceEvent) {
		dir := "child>parent"
		if e.Sent {
			dir = "parent>child"
		}
		// One write(2) a line, the first of an Encoder; a trace that cannot be written must not end the container.
		enc := json.NewEncoder(t.file)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(TraceLine{int64(e.Since), dir, e.Kind, e.Name, e.Seq, e.Re, e.Size, e.FDs, e.Phase})
	}
}

func (t *tracer) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}
