// Package codec turns values of the protocol's data model into bytes and back. Two codecs are built in, JSON and
// MessagePack. Both carry exactly what a syncproto.Value can hold and refuse the same input, and a value survives being
// encoded by one and re-encoded by the other. So the choice between them affects size and legibility, never meaning.
// Any other implementation of Codec can be passed to the two sides of a conversation; package codectest holds the tests
// that it must pass. Encode and Decode convert a Go value to bytes and back. The codecs of this package do that without
// an intermediate Value. In both directions they refuse two fields of a map with the same name, names that are not
// UTF-8, names that start with "$" (reserved: JSON writes bytes as {"$bytes": "base64"}), and nesting over the limit.
// When decoding they also refuse fractions, integers outside [-2^63, 2^64-1], text that is not UTF-8, anything after
// the value, and lengths that exceed the input. Memory is allocated only for data that is present.
package codec
