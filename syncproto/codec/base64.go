package codec

// Base64 as in RFC 4648 section 4, in canonical form only. Package encoding/base64 accepts other forms too (it skips
// line breaks and, by default, ignores trailing bits), and at the start of every process it builds four encodings of
// which this package needs one.

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func appendBase64[B string | []byte](b []byte, s B) []byte {
	for ; len(s) >= 3; s = s[3:] {
		n := uint32(s[0])<<16 | uint32(s[1])<<8 | uint32(s[2])
		b = append(b, base64Digits[n>>18], base64Digits[n>>12&63], base64Digits[n>>6&63], base64Digits[n&63])
	}
	switch len(s) {
	case 1:
		b = append(b, base64Digits[s[0]>>2], base64Digits[s[0]&3<<4], '=', '=')
	case 2:
		n := uint32(s[0])<<8 | uint32(s[1])
		b = append(b, base64Digits[n>>10], base64Digits[n>>4&63], base64Digits[n&15<<2], '=')
	}
	return b
}

// decodeBase64 returns the bytes that s encodes; ok is false if s is not what appendBase64 produces.
func decodeBase64(s string) (b []byte, ok bool) {
	if len(s)%4 != 0 {
		return nil, false
	}
	b = make([]byte, 0, len(s)/4*3)
	for ; s != ""; s = s[4:] {
		pad := 0
		if len(s) == 4 && s[3] == '=' {
			if pad = 1; s[2] == '=' {
				pad = 2
			}
		}
		n := uint32(0)
		for i := range 4 - pad {
			d, ok := base64Digit(s[i])
			if !ok {
				return nil, false
			}
			n |= d << (18 - 6*i)
		}
		if n&(1<<(8*pad)-1) != 0 {
			return nil, false
		}
		last := [3]byte{byte(n >> 16), byte(n >> 8), byte(n)}
		b = append(b, last[:3-pad]...)
	}
	return b, true
}

func base64Digit(c byte) (d uint32, ok bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return uint32(c - 'A'), true
	case 'a' <= c && c <= 'z':
		return uint32(c-'a') + 26, true
	case '0' <= c && c <= '9':
		return uint32(c-'0') + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}
