package transport_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// newer is the configuration of a parent that knows one field more than its child.
type newer struct {
	Name  string   `sync:"name"`
	Words []string `sync:"words,omitempty"`
	Mode  int      `sync:"mode,omitempty"`
}

type older struct {
	Name  string   `sync:"name"`
	Words []string `sync:"words,omitempty"`
}

// opening opens a conversation with typed configurations; got is what the child received.
func opening[P, C any](t *testing.T, l link, c codec.Codec, sent *P, got *C) (parent, child error) {
	t.Helper()
	a, b := l.make(t)
	p, err := transport.NewParent(a, chatter(), transport.Options{Codecs: []codec.Codec{c}})
	if err != nil {
		t.Fatal(err)
	}
	q, err := transport.NewChild(b, chatter(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		fds, err := transport.Accept(context.Background(), q, got)
		if len(fds) > 0 {
			err = errors.New("descriptors from nowhere")
		}
		if err == nil {
			err = q.Confirm(context.Background())
		}
		if err != nil {
			_ = q.Fail(context.Background(), err)
		} else {
			err = q.Done(context.Background())
		}
		done <- err
	}()
	defer p.Close()
	if err := transport.Open(context.Background(), p, sent, nil); err != nil {
		return err, <-done
	}
	_, err = p.Next(context.Background())
	return err, <-done
}

func TestTypedConfigurations(t *testing.T) {
	for _, l := range links {
		for _, c := range codec.BuiltIn() {
			t.Run(l.name+" "+c.Name(), func(t *testing.T) {
				sent := newer{Name: "n", Words: []string{"a", strings.Repeat("b", 70<<10)}, Mode: 7}
				var got older
				if parent, child := opening(t, l, c, &sent, &got); parent != io.EOF || child != nil {
					t.Fatal(parent, child)
				}
				if want := (older{sent.Name, sent.Words}); !reflect.DeepEqual(got, want) {
					t.Errorf("another configuration arrived: %.60v", got)
				}
				var other struct {
					Name int `sync:"name"`
				}
				parent, child := opening(t, l, c, &sent, &other)
				var misfit *syncproto.BindError
				if !errors.As(child, &misfit) || misfit.Path != "name" {
					t.Errorf("a text for a number: %v", child)
				}
				if parent == nil || !strings.Contains(parent.Error(), misfit.Error()) {
					t.Errorf("the parent gets %v for %v", parent, child)
				}
				none := (*newer)(nil)
				if parent, child := opening(t, l, c, none, &got); parent == nil || child == nil {
					t.Errorf("no configuration at all: %v, %v", parent, child)
				}
				unsent := struct {
					Name string `sync:"name"`
				}{"\xff"}
				if parent, child := opening(t, l, c, &unsent, &got); !errors.As(parent, &misfit) || child == nil {
					t.Errorf("text that is no UTF-8: %v, %v", parent, child)
				}
			})
		}
	}
}
