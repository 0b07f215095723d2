package syncproto

import (
	"encoding/binary"
	"math/bits"
)

// Digest is the fingerprint that CONFIG_OK carries, in 16 hexadecimal digits: it begins as the number of bytes times
// digestOdd, and every word of 8 bytes, little-endian, the last one filled up with zero bytes, is taken in by xor, a
// product, a rotation by half, and a product. It finds a mistake, not a forger: another word always gives another
// digest, two or more nearly always.
//
// A container's start takes one digest in a process that lives for a moment, so what counts is the first one, and this
// needs no table, no instruction that must be looked for, and a few lines in any language. CRC-32C by hash/crc32 is
// faster still once it is set up, but that takes longer than all of a configuration's way through the socket.
func Digest(config []byte) string {
	h := uint64(len(config)) * digestOdd
	for ; len(config) >= 8; config = config[8:] {
		h = digestWord(h, binary.LittleEndian.Uint64(config))
	}
	if len(config) > 0 {
		var last [8]byte
		copy(last[:], config)
		h = digestWord(h, binary.LittleEndian.Uint64(last[:]))
	}
	return hex16(h)
}

const digestOdd = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio

// digestWord takes one word in. One product alone leaves the highest bit by itself, where a bit of the next word could
// take it back.
func digestWord(h, word uint64) uint64 {
	return bits.RotateLeft64((h^word)*digestOdd, 32) * digestOdd
}
