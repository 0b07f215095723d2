package main

import (
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// contenders returns all contenders in the order of the table.
func contenders() []contender {
	var all []contender
	for _, s := range []struct {
		name   string
		socket transport.Type
	}{{"seqpacket", transport.SeqPacket}, {"stream", transport.Stream}} {
		for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
			floorName := "floor " + c.Name() + " " + s.name
			all = append(all,
				contender{name: floorName, socket: s.socket, copies: c, pinned: true},
				contender{name: "handfast " + c.Name() + " " + s.name, socket: s.socket, floor: floorName,
					talker: handfast{codec: c}})
		}
		all = append(all, contender{name: "unpinned floor " + s.name, socket: s.socket, copies: codec.MessagePack()})
	}
	for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
		all = append(all, contender{name: "handfast " + c.Name() + " memory", socket: transport.SeqPacket, memory: true,
			talker: handfast{codec: c}})
	}
	other := func(name string, t talker, lacks string) contender {
		return contender{name: name, socket: transport.Stream, extra: true, floor: "floor msgpack stream", talker: t,
			lacks: lacks}
	}
	return append(all,
		other("encoding/json stream", jsonStream{},
			"takes names in any case and the last of two that are equal, and repairs "+
				"text; no limit of size or depth; versions, profile and codec are not agreed on, the configuration is not "+
				"confirmed by "+
				"a digest, an error has no form"),
		other("net/rpc with gob", gobRPC{}, "drops fields that it does not know, and leaves out what is zero; no limit but "+
			"gob's own of 1 GiB; nothing is agreed on but types, no digest; errors are text; the parent cannot speak first"),
		other("ttrpc", overTTRPC{}, "the configuration is JSON in a field of bytes, with what encoding/json lacks; nothing "+
			"is "+
			"agreed on, no digest; errors are a status and text; the parent cannot speak first"))
}
