package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

func contenders() []contender {
	list := []contender{
		{name: "floor, seqpacket", floor: "floor, seqpacket", typ: unix.SOCK_SEQPACKET, parent: floorSide(true), child: floorSide(false)},
		{name: "floor, stream", floor: "floor, stream", typ: unix.SOCK_STREAM, parent: floorSide(true), child: floorSide(false)},
	}
	for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
		list = append(list,
			handfast("handfast, "+c.Name()+", seqpacket", "floor, seqpacket", unix.SOCK_SEQPACKET, c),
			handfast("handfast, "+c.Name()+", stream", "floor, stream", unix.SOCK_STREAM, c),
			handfast("handfast, "+c.Name()+", memory", "floor, seqpacket", 0, c))
	}
	return append(list,
		contender{name: "encoding/json stream", floor: "floor, stream", typ: unix.SOCK_STREAM, parent: jsonParent, child: jsonChild},
		contender{name: "net/rpc with gob", floor: "floor, stream", typ: unix.SOCK_STREAM, parent: rpcParent, child: rpcChild},
		contender{name: "ttrpc", floor: "floor, stream", typ: unix.SOCK_STREAM, parent: ttrpcParent, child: ttrpcChild})
}

// payload is what makes the configuration 10 KiB.
var payload = bytes.Repeat([]byte("configuration..."), 10<<10/16)

// memory is where the two sides of a conversation in memory meet.
var memory struct {
	sync.Mutex
	waiting *transport.Conn
}

// memoryEnd is one end of a pair for whoever comes first, and the other for whoever comes second.
func memoryEnd() *transport.Conn {
	memory.Lock()
	defer memory.Unlock()
	if c := memory.waiting; c != nil {
		memory.waiting = nil
		return c
	}
	a, b := transport.Memory(transport.SeqPacket, 0)
	memory.waiting = b
	return a
}

func handfast(name, floor string, typ int, c codec.Codec) contender {
	take := func(fd, side int, f func(int) (*transport.Conn, error)) (*transport.Conn, error) {
		if typ == 0 {
			return memoryEnd(), nil
		}
		_ = unix.Close(side)
		return f(fd)
	}
	return contender{name: name, floor: floor, typ: typ,
		parent: func(fd, side int) error {
			conn, err := take(fd, side, transport.Take)
			if err != nil {
				return err
			}
			p, err := transport.NewParent(conn, syncproto.Init(), transport.Options{Codecs: []codec.Codec{c}})
			if err != nil {
				return err
			}
			defer p.Close()
			return handfastParent(p)
		},
		child: func(fd, side int) error {
			conn, err := take(fd, side, transport.TakeBlocking)
			if err != nil {
				return err
			}
			p, err := transport.NewChild(conn, syncproto.Init(), transport.Options{})
			if err != nil {
				return err
			}
			defer p.Close()
			return handfastChild(p)
		}}
}

func handfastParent(p *transport.Peer) error {
	ctx := context.Background()
	err := p.Open(ctx, syncproto.MapValue(syncproto.Field{Name: "config", Value: syncproto.BytesValue(payload)}), nil)
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(ctx); err == nil {
			transport.CloseAll(req.FDs)
			err = p.Reply(ctx, syncproto.Value{})
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func handfastChild(p *transport.Peer) error {
	ctx := context.Background()
	v, _, err := p.Accept(ctx)
	if err != nil {
		return err
	}
	config, _ := v.Get("config")
	if b, _ := config.RawBytes(); len(b) != len(payload) {
		return errors.New("the configuration did not arrive")
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	for _, name := range []string{"hooks", "console", "ready"} {
		var fds []int
		if name == "console" {
			fds = []int{0}
		}
		if _, _, err := p.Call(ctx, name, syncproto.Value{}, fds...); err != nil {
			return err
		}
	}
	return p.Exec(ctx)
}
