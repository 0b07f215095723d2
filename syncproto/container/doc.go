// Package container holds the profiles "init", "setns" and "start", and what they carry: the body of CONFIG, and the
// requests with the types of their arguments and replies.
//
// spawn (the parent) and nsinit (the child) never import each other. They share these values as two processes share a
// socket: each is turned into a syncproto.Value with syncproto.ToValue and back with syncproto.FromValue, and any codec
// carries that. The example is a whole program with a child of its own. One in another language reads the same fields
// from docs/protocol.md, whose tables are drawn from this package.
package container
