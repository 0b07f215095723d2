package smallfile

import (
	"strconv"
	"strings"
)

// Unescape returns a field of a list in /proc, such as mountinfo, with the characters that the kernel has escaped: a
// space, tab, newline or backslash is a backslash and three octal digits there.
func Unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
