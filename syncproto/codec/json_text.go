package codec

import (
	"unicode/utf16"
	"unicode/utf8"
)

// text reads the string whose opening quote is at p.i. Most strings have no escape and are substrings of the copy of
// the message.
func (p *jsonParser) text() (string, error) {
	p.i++
	start := p.i
	for ; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			s := p.b[start:p.i]
			if !utf8.Valid(s) {
				p.i = start
				return "", p.wrong("text is not valid UTF-8")
			}
			text := p.cut(start)
			p.i++
			return text, nil
		case c == '\\':
			return p.escapedText(start)
		case c < ' ':
			return "", p.wrong("a control character stands in a string")
		}
	}
	return "", p.wrong("the end stands inside a string")
}

// escapedText continues with the string that began at start, at its first escape.
func (p *jsonParser) escapedText(start int) (string, error) {
	out := append([]byte(nil), p.b[start:p.i]...)
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"':
			if !utf8.Valid(out) {
				p.i = start
				return "", p.wrong("text is not valid UTF-8")
			}
			p.i++
			return string(out), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < ' ':
			return "", p.wrong("a control character stands in a string")
		default:
			out = append(out, c)
			p.i++
		}
	}
	return "", p.wrong("the end stands inside a string")
}

// escape reads one escape, or the two that form a surrogate pair. Half a pair is refused: it is not a character, and
// decoders that repair it disagree on how.
func (p *jsonParser) escape() (rune, error) {
	if p.i+1 < len(p.b) {
		if r := shortEscape(p.b[p.i+1]); r != 0 {
			p.i += 2
			return r, nil
		}
	}
	r, ok := p.hex(p.i)
	if !ok {
		return 0, p.wrong("not an escape of JSON")
	}
	if !utf16.IsSurrogate(r) {
		p.i += 6
		return r, nil
	}
	low, _ := p.hex(p.i + 6)
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, p.wrong("an escape is half a surrogate pair")
	}
	p.i += 12
	return r, nil
}

// shortEscape returns the character that a backslash and c stand for, or zero if they mean nothing.
func shortEscape(c byte) rune {
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// hex reads the \uXXXX at byte i.
func (p *jsonParser) hex(i int) (r rune, ok bool) {
	if len(p.b)-i < 6 || p.b[i] != '\\' || p.b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range p.b[i+2 : i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
