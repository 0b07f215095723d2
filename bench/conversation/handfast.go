package main

import (
	"context"
	"fmt"
	"io"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// handfast is the profile "init" as spawn and nsinit use it.
type handfast struct {
	codec codec.Codec
	trace func(transport.Event) // of the parent; only set to record the frames
}

func (h handfast) parent(e ends, w *work) error {
	c, err := e.take(transport.Take)
	if err != nil {
		return err
	}
	p, err := transport.NewParent(c, container.InitProfile(), transport.Options{Codecs: []codec.Codec{h.codec},
		Trace: h.trace})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Narrow(w.config.Narrow(container.InitProfile())); err != nil {
		return err
	}
	ctx := context.Background()
	if err := transport.Open(ctx, p, w.config, nil); err != nil {
		return err
	}
	for {
		r, err := p.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Name == container.ConsoleRequest.Request {
			arg, err := transport.Arg(ctx, p, r, container.ConsoleRequest)
			if err != nil {
				return err
			}
			if err := w.console(arg.Path, r.FDs); err != nil {
				return err
			}
		}
		if err := p.Reply(ctx, syncproto.Value{}); err != nil {
			return err
		}
	}
}

func (h handfast) child(e ends, w *work) error {
	c, err := e.take(transport.Take)
	if err != nil {
		return err
	}
	p, err := transport.NewChild(c, container.InitProfile(), transport.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	ctx := context.Background()
	var config container.Config
	fds, err := transport.Accept(ctx, p, &config)
	if err != nil {
		return err
	}
	transport.CloseAll(fds)
	if err := w.checkConfig(&config); err != nil {
		return err
	}
	if err := p.Narrow(config.Narrow(container.InitProfile())); err != nil {
		return err
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	if _, _, err := transport.Call(ctx, p, container.HooksRequest, struct{}{}); err != nil {
		return fmt.Errorf("hooks: %w", err)
	}
	arg := container.ConsoleArg{Path: consolePath}
	if _, _, err := transport.Call(ctx, p, container.ConsoleRequest, arg, w.terminal); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if _, _, err := transport.Call(ctx, p, container.ReadyRequest, struct{}{}); err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	return p.Exec(ctx)
}
