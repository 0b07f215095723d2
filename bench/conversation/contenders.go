package main

import (
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// contenders lists them in the order of the table.
func contenders() []contender {
	var all []contender
	for _, s := range []struct {
		name   string
		socket transport.Type
	}{{"seqpacket", transport.SeqPacket}, {"stream", transport.Stream}} {
		for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
			floorName := "floor " + c.Name() + " " + s.name
			all = append(all,
				contender{name: floorName, socket: s.socket, talker: func(w *work) talker { return newFloor(w) }, codec: c},
				contender{name: "handfast " + c.Name() + " " + s.name, socket: s.socket, floor: floorName, talker: func(*work) talker { return handfast{codec: c} }})
		}
	}
	for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
		all = append(all, contender{name: "handfast " + c.Name() + " memory", socket: transport.SeqPacket, memory: true, talker: func(*work) talker { return handfast{codec: c} }})
	}
	return append(all,
		contender{name: "encoding/json stream", socket: transport.Stream, extra: true, floor: "floor msgpack stream", talker: func(*work) talker { return jsonStream{} }},
		contender{name: "net/rpc with gob", socket: transport.Stream, extra: true, floor: "floor msgpack stream", talker: func(*work) talker { return gobRPC{} }},
		contender{name: "ttrpc", socket: transport.Stream, extra: true, floor: "floor msgpack stream", talker: func(*work) talker { return overTTRPC{} }})
}

// recorded is what the contender has to move, where it is a floor.
func (c contender) recorded(w *work) ([]frame, error) {
	if c.codec == nil {
		return nil, nil
	}
	return record(w, c.codec)
}
