// Package history tests the handshakes from which this protocol developed: what runtimes have exchanged since 2016 with
// the process that becomes a container. It has their conversations as transcripts, which are replayed over real
// sockets, and as profiles, with today's form of each message. It also has every mistake in them: first as it happened,
// and then a test that it cannot happen any more. The package contains only tests.
//
// The generations, by what was on the socket between parent and child:
//
//	G1    2016-01     the configuration as one JSON value, SHUT_WR, then end of file or one JSON value that is an error
//	G2    2016-01     {"type":0} ready, {"type":3} run; an error is two values, {"type":1} and the error itself
//	G3a   2016-02     a netlink blob and a line with a pid come first; {"type":3} hooks, {"type":4} resume; run is 2
//	G3b   2016-12     types are strings; a console's descriptor takes four steps
//	HEAD  2026        packets with flags; a descriptor is a packet of its own after the one that announces it
//
// It contains no code of those programs: a few lines of its own reproduce what each did, with encoding/json as they
// used it.
package history
