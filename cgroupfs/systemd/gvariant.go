package systemd

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseValue parses a value in GVariant's text format (docs.gtk.org/glib, "GVariant Text Format"), as far as properties
// of systemd use it: booleans, numbers, strings, object paths, signatures, arrays, structures and variants, each with
// its type before it if that is not the default ("uint64 5", "@as []"). A number without a type is an int32, or a
// double if it is written as one. Dictionaries, maybe types, handles and byte strings are refused. The error says where
// it is, and wraps EINVAL.
func parseValue(s string) (Value, error) {
	if len(s) > maxText {
		return Value{}, invalid("%d bytes; at most %d are read", len(s), maxText)
	}
	if !utf8.ValidString(s) {
		return Value{}, invalid("%q is not UTF-8", s)
	}
	p := &parser{text: s}
	v, err := p.value("", 0)
	if err == nil && p.peek() != 0 {
		err = p.wrong("something follows the value")
	}
	if err == nil && len(v.kind) > maxSignature {
		err = p.wrong("the type is longer than %d", maxSignature)
	}
	return v, err
}

// maxText is the longest text that is parsed, in bytes.
const maxText = 64 << 10

type parser struct {
	text string
	at   int
}

func (p *parser) wrong(format string, args ...any) error {
	args = append(args, p.text, p.at)
	return invalid(format+" (in %q, after %d bytes)", args...)
}

// peek skips blanks and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// word reads letters, digits and the other characters of numbers.
func (p *parser) word() string {
	start := p.at
	for p.at < len(p.text) && (p.text[p.at] >= '0' && p.text[p.at] <= '9' ||
		p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z' || strings.IndexByte("+-._", p.text[p.at]) >= 0) {
		p.at++
	}
	return p.text[start:p.at]
}

// value parses a value of the type want, or, if that is empty, of the type that precedes it or that it has by default.
func (p *parser) value(want string, depth int) (Value, error) {
	if depth > maxNesting {
		return Value{}, p.wrong("nested more than %d deep", maxNesting)
	}
	switch c := p.peek(); c {
	case 0:
		return Value{}, p.wrong("a value is missing")
	case '\'', '"':
		return p.string(want)
	case '[':
		return p.array(want, depth)
	case '(':
		return p.tuple(want, depth)
	case '<':
		return p.variant(want, depth)
	case '@':
		p.at++
		one, _, err := oneType(p.text[p.at:min(len(p.text), p.at+maxSignature)])
		if err != nil || strings.ContainsAny(one, "{") {
			return Value{}, p.wrong("the type is not supported")
		}
		p.at += len(one)
		return p.typed(want, one, depth)
	}
	word := p.word()
	for _, k := range keywords {
		if k.word == word {
			return p.typed(want, k.kind, depth)
		}
	}
	return p.scalar(want, word)
}

// typed parses a value with its type before it.
func (p *parser) typed(want, kind string, depth int) (Value, error) {
	if want != "" && want != kind {
		return Value{}, p.wrong("the type %q where %q is wanted", kind, want)
	}
	return p.value(kind, depth+1)
}

func (p *parser) string(want string) (Value, error) {
	s, err := p.quoted()
	switch {
	case err != nil:
		return Value{}, err
	case want == "" || want == "s":
		return text(s), nil
	case want == "o" && objectPath(s), want == "g" && signature(s):
		return Value{kind: want, text: s}, nil
	}
	return Value{}, p.wrong("the string %q where the type %q is wanted", s, want)
}

// objectPath is D-Bus Specification, "Valid Object Paths".
func objectPath(s string) bool {
	if s == "/" {
		return true
	}
	rest, ok := strings.CutPrefix(s, "/")
	for part := range strings.SplitSeq(rest, "/") {
		ok = ok && part != "" && strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
	}
	return ok
}

func signature(s string) bool {
	if len(s) > maxSignature {
		return false
	}
	for s != "" {
		var err error
		if _, s, err = oneType(s); err != nil {
			return false
		}
	}
	return true
}

func (p *parser) array(want string, depth int) (Value, error) {
	of := ""
	if want != "" {
		var ok bool
		if of, ok = strings.CutPrefix(want, "a"); !ok {
			return Value{}, p.wrong("an array where the type %q is wanted", want)
		}
	}
	v := Value{}
	items, err := p.items(']', func(int) (Value, error) {
		item, err := p.value(of, depth+1)
		if of == "" {
			of = item.kind // a type before the first element applies to all
		}
		return item, err
	})
	if err != nil {
		return v, err
	}
	if of == "" {
		return v, p.wrong("an empty array of no known type; write it such as @as []")
	}
	return array(of, items...), nil
}

func (p *parser) tuple(want string, depth int) (Value, error) {
	var kinds []string
	if want != "" {
		if want[0] != '(' {
			return Value{}, p.wrong("a structure where the type %q is wanted", want)
		}
		kinds, _ = members(want)
	}
	items, err := p.items(')', func(i int) (Value, error) {
		switch {
		case kinds == nil:
			return p.value("", depth+1)
		case i >= len(kinds):
			return Value{}, p.wrong("the structure has more than %d members", len(kinds))
		}
		return p.value(kinds[i], depth+1)
	})
	if err != nil {
		return Value{}, err
	}
	if len(items) == 0 || kinds != nil && len(items) != len(kinds) {
		return Value{}, p.wrong("a structure of %d members; want %d", len(items), max(1, len(kinds)))
	}
	return tuple(items...), nil
}

// items parses the elements between the opening bracket, which is next, and end, with commas between them.
func (p *parser) items(end byte, item func(int) (Value, error)) ([]Value, error) {
	var all []Value
	for p.at++; p.peek() != end; {
		v, err := item(len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		if p.peek() == end {
			break
		}
		if p.peek() != ',' {
			return nil, p.wrong("want , or %c", end)
		}
		p.at++
		if p.peek() == end && (end != ')' || len(all) > 1) {
			return nil, p.wrong("nothing follows the comma")
		}
	}
	p.at++
	return all, nil
}

func (p *parser) variant(want string, depth int) (Value, error) {
	if want != "" && want != "v" {
		return Value{}, p.wrong("a variant where the type %q is wanted", want)
	}
	p.at++
	v, err := p.value("", depth+1)
	if err != nil {
		return v, err
	}
	if p.peek() != '>' {
		return v, p.wrong("want > at the end of a variant")
	}
	p.at++
	return variant(v), nil
}

// scalar parses a boolean or a number.
func (p *parser) scalar(want, word string) (Value, error) {
	if word == "true" || word == "false" {
		if want != "" && want != "b" {
			return Value{}, p.wrong("a boolean where the type %q is wanted", want)
		}
		return boolean(word == "true"), nil
	}
	if want == "" {
		want = "i"
		if hex := strings.HasPrefix(strings.TrimLeft(word, "+-"), "0x"); !hex && strings.ContainsAny(word, ".eE") ||
			slices.Contains([]string{"inf", "nan"}, strings.TrimLeft(word, "+-")) {
			want = "d"
		}
	}
	v, ok := parseNumber(want, word)
	if !ok {
		return Value{}, p.wrong("%q is not a value of the type %q", word, want)
	}
	return v, nil
}

func parseNumber(kind, word string) (Value, bool) {
	bits := map[string]int{"y": 8, "n": 16, "q": 16, "i": 32, "u": 32, "x": 64, "t": 64}[kind]
	switch {
	case kind == "d" && !strings.ContainsAny(word, "xXpP_"):
		f, err := strconv.ParseFloat(word, 64)
		return double(f), err == nil && (!math.IsInf(f, 0) || strings.HasSuffix(word, "inf"))
	case bits == 0 || strings.Contains(word, "_"):
		return Value{}, false
	case strings.Contains("nix", kind):
		n, err := strconv.ParseInt(word, 0, bits)
		return Value{kind: kind, n: uint64(n)}, err == nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(word, "+"), 0, bits)
	return Value{kind: kind, n: n}, err == nil
}
