package systemd

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quoted reads a string in single or double quotes.
func (p *parser) quoted() (string, error) {
	end := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch c {
		case end:
			if s := b.String(); strings.IndexByte(s, 0) < 0 {
				return s, nil
			}
			return "", p.wrong("a zero byte cannot be in a string")
		case '\\':
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", p.wrong("the string has no end")
}

// escape parses what follows a backslash: a letter as in C, uXXXX, UXXXXXXXX, a newline, which is dropped, or any other
// character, which stands for itself.
func (p *parser) escape(b *strings.Builder) error {
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	if n == 0 {
		return p.wrong("the string has no end")
	}
	p.at += n
	digits := map[rune]int{'u': 4, 'U': 8}[r]
	switch {
	case digits > 0:
		if len(p.text)-p.at < digits {
			return p.wrong("want %d hexadecimal digits", digits)
		}
		code, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) || code > utf8.MaxRune {
			return p.wrong("%q is not a character", p.text[p.at:p.at+digits])
		}
		p.at += digits
		b.WriteRune(rune(code))
	case r == '\n':
	default:
		if i := strings.IndexRune("abfnrtv", r); i >= 0 {
			r = rune("\a\b\f\n\r\t\v"[i])
		}
		b.WriteRune(r)
	}
	return nil
}
