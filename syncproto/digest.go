package syncproto

import (
	"encoding/binary"
	"math/bits"
)

// Digest returns the fingerprint that CONFIG_OK carries, in 16 hexadecimal digits. It starts as the number of bytes
// times digestOdd. Each little-endian word of 8 bytes, the last one padded with zero bytes, is then mixed in by xor, a
// multiplication, a rotation by 32 bits and another multiplication. It detects mistakes, not forgery: changing one word
// always changes the digest, changing several almost always does.
//
// Each start of a container computes one digest in a short-lived process, so the cost of the first one counts. This
// function needs no table and no special instruction, and takes a few lines in any language. CRC-32C from hash/crc32 is
// faster once it is set up, but setting it up takes longer than sending a whole configuration through the socket.
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

// digestWord mixes one word in. A single multiplication would leave the highest bit by itself, and a bit of the next
// word could cancel it.
func digestWord(h, word uint64) uint64 {
	return bits.RotateLeft64((h^word)*digestOdd, 32) * digestOdd
}
