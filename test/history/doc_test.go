// Package history holds the handshakes that this protocol comes from: what runtimes have said to the process that
// becomes a container since 2016, as transcripts that are replayed over real sockets; the same conversations as
// profiles, with what each becomes today; and every mistake that was made in them, first as it was, then as it cannot
// be made any more. It is tests alone.
//
// The generations, by what was on the socket between parent and child:
//
//	G1    2016-01     the configuration as one JSON value, SHUT_WR, then end of file or one JSON value that is an error
//	G2    2016-01     {"type":0} ready, {"type":3} run; an error is two values, {"type":1} and the error itself
//	G3a   2016-02     a netlink blob and a line with a pid come first; {"type":3} hooks, {"type":4} resume; run is 2
//	G3b   2016-12     types are strings; a console's descriptor takes four steps
//	HEAD  2026        packets with flags; a descriptor is a packet of its own behind the one that announces it
//
// Nothing of those programs is copied here: what they did is told in a few lines each, with encoding/json as they used
// it.
package history
