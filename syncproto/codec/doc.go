// Package codec turns values of the protocol's data model into bytes and back.
//
// Two codecs are built in, JSON and MessagePack. Both carry exactly what syncproto.Value can hold, refuse the same
// things, and decode what the other encoded to the same value, so the choice between them is one of size and of
// legibility, never of meaning. A third one is a value of the type Codec like these, given to whoever shall speak it;
// package codectest holds the tests that it must pass.
//
// Encode and Decode go from a Go value to bytes and back, without a Value between where a codec of this package is
// asked.
//
// What both refuse, in either direction: two fields of a map with the same name, names that are not UTF-8, names that
// start with "$" (reserved: JSON writes bytes as {"$bytes": "base64"}), and nesting over the limit. What both refuse to
// decode: fractions, integers outside [-2^63, 2^64-1], text that is not UTF-8, anything after the value, and any length
// that the bytes at hand cannot hold. Memory is taken only for what was seen to be there.
package codec
