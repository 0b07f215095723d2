// Package criu speaks with CRIU (https://criu.org), which saves the processes of a container in files and makes them
// again from these. "criu swrk FD" serves one client on a socket of type SOCK_SEQPACKET: each packet is one message of
// rpc.proto, which is part of CRIU (images/rpc.proto, version 3.17).
//
// Messages are Go structs. A table for each lists its fields by number and name (message.go); encoding, decoding and
// printing go by these tables (wire.go). This is the part of protocol buffers that rpc.proto uses,
// https://protobuf.dev/programming-guides/encoding. CRIU's own Go package, go-criu, would link
// google.golang.org/protobuf into the runtime, which registers and reflects on its types whenever the program
// starts, for every command.
//
// Client (client.go) is the only part with effects: it starts CRIU and exchanges messages. What to request is decided
// elsewhere.
package criu
