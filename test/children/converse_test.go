package children

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// TestPythonChildConverses has a conversation with the child in Python, without namespaces and so without root.
func TestPythonChildConverses(t *testing.T) {
	python := testenv.Tool(t, "python3", "python3")
	for _, program := range []string{"/bin/true", "/no/such/program"} {
		conn, end, err := transport.SocketPair(transport.SeqPacket)
		if err != nil {
			t.Fatal(err)
		}
		notes := 0
		p, err := transport.NewParent(conn, container.InitProfile(), transport.Options{
			Codecs: []codec.Codec{codec.JSON()}, Note: func(syncproto.Note) { notes++ },
			// A busy machine can take seconds to start an interpreter.
			Deadlines: transport.Deadlines{
				Hello: time.Minute, Config: time.Minute, Idle: time.Minute, Exec: time.Minute,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, pythonChild)
		cmd.Env = append(os.Environ(), "HANDFAST_SOCKET=3")
		cmd.ExtraFiles, cmd.Stderr = []*os.File{end}, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = end.Close()
		// The arguments are long, so that the configuration has several fragments.
		config, err := syncproto.ToValue(container.Config{ID: "c1", Process: container.Process{Args: []string{program,
			strings.Repeat("x", 100000)}, Cwd: "/", Terminal: true}})
		if err == nil {
			err = p.Open(t.Context(), config, nil)
		}
		names, masters := "", []int(nil)
		for err == nil {
			var req *transport.Request
			if req, err = p.Next(t.Context()); err == nil {
				names += req.Name + " "
				masters = append(masters, req.FDs...) // closing it now would hang up the child's terminal
				err = p.Reply(t.Context(), syncproto.Value{})
			}
		}
		if program == "/bin/true" && err != io.EOF || program != "/bin/true" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", program, err)
		}
		if names != "console ready " || notes != 1 {
			t.Errorf("it requested %q and sent %d notes", names, notes)
		}
		_, _ = p.Close(), cmd.Wait()
		transport.CloseAll(masters)
	}
}
