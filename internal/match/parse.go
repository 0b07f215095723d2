package match

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// parser parses an expression by recursive descent. Every part is a list of instructions with absolute targets, so each
// method gets the position where the part will be.
type parser struct {
	text string
	at   int
	deep int
}

// deepest limits the nesting of parentheses, and so the recursion.
const deepest = 100

func (p *parser) wrong(format string, args ...any) error {
	return fmt.Errorf("byte %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

// inSequence reports whether the next character belongs to the current sequence.
func (p *parser) inSequence() bool { return p.at < len(p.text) && p.text[p.at] != ')' }

// alternatives parses sequences with | between them. from is the position of the part.
func (p *parser) alternatives(from int) ([]instruction, error) {
	first, err := p.sequence(from)
	if err != nil || !p.inSequence() {
		return first, err
	}
	p.at++ // the |
	// split, first, jump over the rest, rest
	first = moved(first, 1)
	rest, err := p.alternatives(from + len(first) + 2)
	if err != nil {
		return nil, err
	}
	after := from + len(first) + 2
	part := append([]instruction{{op: split, x: from + 1, y: after}}, first...)
	part = append(part, instruction{op: jump, x: after + len(rest)})
	return append(part, rest...), nil
}

func (p *parser) sequence(from int) ([]instruction, error) {
	var part []instruction
	for p.inSequence() && p.text[p.at] != '|' {
		next, err := p.repeated(from + len(part))
		if err != nil {
			return nil, err
		}
		part = append(part, next...)
	}
	return part, nil
}

// repeated parses a piece and the repetition operators after it.
func (p *parser) repeated(from int) ([]instruction, error) {
	if strings.IndexByte("*+?", p.text[p.at]) >= 0 {
		return nil, p.wrong("nothing before %c", p.text[p.at])
	}
	part, err := p.piece(from)
	if err != nil {
		return nil, err
	}
	for p.at < len(p.text) {
		switch n := len(part); p.text[p.at] {
		case '*': // split, part, back
			part = append([]instruction{{op: split, x: from + 1, y: from + n + 2}}, moved(part, 1)...)
			part = append(part, instruction{op: jump, x: from})
		case '+': // part, split back
			part = append(part, instruction{op: split, x: from, y: from + n + 1})
		case '?': // split, part
			part = append([]instruction{{op: split, x: from + 1, y: from + n + 1}}, moved(part, 1)...)
		default:
			return part, nil
		}
		p.at++
		if p.at < len(p.text) && p.text[p.at] == '?' {
			p.at++ // whether a repetition is lazy does not change whether it matches
		}
	}
	return part, nil
}

// moved returns a part moved by n instructions.
func moved(part []instruction, n int) []instruction {
	for i := range part {
		switch part[i].op {
		case split:
			part[i].y += n
			part[i].x += n
		case jump:
			part[i].x += n
		}
	}
	return part
}

func (p *parser) piece(from int) ([]instruction, error) {
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	switch r {
	case '(':
		return p.group(from)
	case '[':
		return p.brackets()
	case '{':
		return nil, p.wrong(`a count in braces is not known here; write \{ for the character`)
	case '\\':
		s, err := p.escaped()
		return []instruction{{op: one, set: s}}, err
	}
	p.at += size
	switch r {
	case '^':
		return []instruction{{op: begin}}, nil
	case '$':
		return []instruction{{op: end}}, nil
	case '.':
		return []instruction{{op: one, set: &set{negated: true, ranges: [][2]rune{{'\n', '\n'}}}}}, nil
	}
	return []instruction{{op: one, set: &set{ranges: [][2]rune{{r, r}}}}}, nil
}

func (p *parser) group(from int) ([]instruction, error) {
	opening := *p
	if p.deep++; p.deep > deepest {
		return nil, p.wrong("parentheses nested more than %d deep", deepest)
	}
	p.at++
	if strings.HasPrefix(p.text[p.at:], "?:") {
		p.at += 2
	}
	part, err := p.alternatives(from)
	if err != nil {
		return nil, err
	}
	if p.at >= len(p.text) {
		return nil, opening.wrong("missing closing ) of (")
	}
	p.at++
	p.deep--
	return part, nil
}

// class returns the set for a letter after a backslash; nil if it has none.
func class(letter byte) [][2]rune {
	switch letter {
	case 'd':
		return [][2]rune{{'0', '9'}}
	case 'w':
		return [][2]rune{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}
	case 's':
		return [][2]rune{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}
	}
	return nil
}

// escaped parses the character after a backslash.
func (p *parser) escaped() (*set, error) {
	if p.at+1 >= len(p.text) {
		return nil, p.wrong(`nothing behind \`)
	}
	c := p.text[p.at+1]
	if ranges := class(c | 0x20); ranges != nil && (c >= 'a' || c >= 'A' && c <= 'Z') {
		p.at += 2
		return &set{ranges: ranges, negated: c < 'a'}, nil
	}
	if c >= utf8.RuneSelf || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
		return nil, p.wrong(`\%c is not known; want \d, \w, \s or a sign`, c)
	}
	p.at += 2
	return &set{ranges: [][2]rune{{rune(c), rune(c)}}}, nil
}

// brackets parses a set such as [a-z_] or [^0-9].
func (p *parser) brackets() ([]instruction, error) {
	opening := *p
	p.at++
	s := &set{}
	if p.at < len(p.text) && p.text[p.at] == '^' {
		s.negated = true
		p.at++
	}
	for first := true; ; first = false {
		switch {
		case p.at >= len(p.text):
			return nil, opening.wrong("missing closing ] of [")
		case p.text[p.at] == ']' && !first:
			p.at++
			return []instruction{{op: one, set: s}}, nil
		case strings.HasPrefix(p.text[p.at:], "[:"):
			return nil, p.wrong("classes such as [:alpha:] are not supported")
		}
		if err := p.member(s); err != nil {
			return nil, err
		}
	}
}

// member parses a member of a set: a character, a range, or a class.
func (p *parser) member(s *set) error {
	low, class, err := p.character()
	if err != nil {
		return err
	}
	if class != nil {
		if class.negated {
			return p.wrong("a negated class is not supported in brackets")
		}
		s.ranges = append(s.ranges, class.ranges...)
		return nil
	}
	high := low
	if rest := p.text[p.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		p.at++
		if high, class, err = p.character(); err != nil {
			return err
		}
		if class != nil || high < low {
			return p.wrong("a range that ends before it begins")
		}
	}
	s.ranges = append(s.ranges, [2]rune{low, high})
	return nil
}

// character parses one character in brackets; for \d and the like it sets class instead.
func (p *parser) character() (r rune, class *set, err error) {
	if p.text[p.at] == '\\' {
		s, err := p.escaped()
		if err != nil {
			return 0, nil, err
		}
		if len(s.ranges) == 1 && s.ranges[0][0] == s.ranges[0][1] && !s.negated {
			return s.ranges[0][0], nil, nil
		}
		return 0, s, nil
	}
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += size
	return r, nil, nil
}
