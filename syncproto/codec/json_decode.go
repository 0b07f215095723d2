package codec

import (
	"math"
	"slices"
	"strconv"

	"github.com/handfast/handfast/syncproto"
)

func (jsonCodec) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	p := jsonParser{b: b, left: syncproto.MaxValues}
	v, err := p.value(depthOf(l))
	if err != nil {
		return syncproto.Value{}, err
	}
	if p.space(); p.i < len(b) {
		return syncproto.Value{}, p.wrong("something follows the value")
	}
	return v, nil
}

// jsonParser reads b from byte i on. Values and fields of lists and maps that are still open are kept on the two
// stacks, so that each list and map is allocated once, at its exact size.
type jsonParser struct {
	b      []byte
	i      int
	left   int    // how many more values are allowed
	copied string // copy of b, made on demand: all text without an escape is a substring of it
	values []syncproto.Value
	fields []syncproto.Field
}

// cut returns the text from start to the current byte.
func (p *jsonParser) cut(start int) string {
	if start == p.i {
		return ""
	}
	if p.copied == "" {
		p.copied = string(p.b)
	}
	return p.copied[start:p.i]
}

// push is append, but doubles the capacity even of large slices, so that the discarded arrays take no more memory than
// the final one.
func push[T any](stack []T, t T) []T {
	if len(stack) == cap(stack) {
		stack = slices.Grow(stack, max(len(stack), 8))
	}
	return append(stack, t)
}

func (p *jsonParser) wrong(why string) error { return refuse(place(nameJSON, p.i), why) }

func (p *jsonParser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or zero at the end, where no value can start.
func (p *jsonParser) peek() byte {
	if p.space(); p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *jsonParser) value(depth int) (syncproto.Value, error) {
	if p.left--; p.left < 0 {
		return syncproto.Value{}, tooMany(place(nameJSON, p.i))
	}
	switch c := p.peek(); {
	case c == '"':
		s, err := p.text()
		if err != nil {
			return syncproto.Value{}, err
		}
		return syncproto.StringValue(s), nil
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case p.word("true"):
		return syncproto.BoolValue(true), nil
	case p.word("false"):
		return syncproto.BoolValue(false), nil
	case p.word("null"):
		return syncproto.Value{}, nil
	case p.i == len(p.b):
		return syncproto.Value{}, p.wrong("the end stands where a value should")
	}
	return syncproto.Value{}, p.wrong("no value starts with " + quote(string(p.b[p.i:p.i+1])))
}

func (p *jsonParser) word(w string) bool {
	if len(p.b)-p.i < len(w) || string(p.b[p.i:p.i+len(w)]) != w {
		return false
	}
	p.i += len(w)
	return true
}

func (p *jsonParser) list(depth int) (syncproto.Value, error) {
	if depth == 0 {
		return syncproto.Value{}, tooDeep(place(nameJSON, p.i))
	}
	p.i++
	base := len(p.values)
	for first := true; ; first = false {
		done, err := p.next(']', first)
		if err != nil {
			return syncproto.Value{}, err
		}
		if done {
			break
		}
		v, err := p.value(depth - 1)
		if err != nil {
			return syncproto.Value{}, err
		}
		p.values = push(p.values, v)
	}
	list := append(make([]syncproto.Value, 0, len(p.values)-base), p.values[base:]...)
	p.values = p.values[:base]
	return syncproto.ListValue(list...), nil
}

// next skips the comma before the next element, or the bracket after the last one.
func (p *jsonParser) next(end byte, first bool) (done bool, err error) {
	switch c := p.peek(); {
	case c == end:
		p.i++
		return true, nil
	case first:
		return false, nil
	case c == ',':
		p.i++
		return false, nil
	}
	return false, p.wrong("want a comma or " + strconv.Quote(string(end)))
}

// object reads a map, or bytes. Bytes do not count as nesting, just as in other codecs, so the depth is checked only
// after the first name.
func (p *jsonParser) object(depth int) (syncproto.Value, error) {
	start, base := p.i, len(p.fields)
	p.i++
	for first := true; ; first = false {
		done, err := p.next('}', first)
		if err != nil {
			return syncproto.Value{}, err
		}
		if done {
			break
		}
		at := p.i
		name, err := p.name()
		if err != nil {
			return syncproto.Value{}, err
		}
		if first && name == bytesName {
			return p.bytes()
		}
		if why := badName(name); why != "" {
			return syncproto.Value{}, refuse(place(nameJSON, at), why)
		}
		if depth == 0 {
			break
		}
		v, err := p.value(depth - 1)
		if err != nil {
			return syncproto.Value{}, err
		}
		p.fields = push(p.fields, syncproto.Field{Name: name, Value: v})
	}
	if depth == 0 {
		return syncproto.Value{}, tooDeep(place(nameJSON, start))
	}
	if name, twice := duplicate(p.fields[base:]); twice {
		return syncproto.Value{}, refuse(place(nameJSON, start), duplicateName(name))
	}
	fields := append(make([]syncproto.Field, 0, len(p.fields)-base), p.fields[base:]...)
	p.fields = p.fields[:base]
	return syncproto.MapValue(fields...), nil
}

// name reads the name of a field and the colon.
func (p *jsonParser) name() (string, error) {
	if p.peek() != '"' {
		return "", p.wrong("want the name of a field")
	}
	name, err := p.text()
	if err != nil {
		return "", err
	}
	if p.peek() != ':' {
		return "", p.wrong("want a colon after the name of a field")
	}
	p.i++
	return name, nil
}

// bytes reads the rest of {"$bytes": "..."} after the colon.
func (p *jsonParser) bytes() (syncproto.Value, error) {
	if p.peek() != '"' {
		return syncproto.Value{}, p.wrong("want a string after " + strconv.Quote(bytesName))
	}
	start := p.i
	text, err := p.text()
	if err != nil {
		return syncproto.Value{}, err
	}
	raw, ok := decodeBase64(text)
	if !ok {
		return syncproto.Value{}, refuse(place(nameJSON, start), "not standard base64 with padding: "+quote(text))
	}
	if p.peek() != '}' {
		return syncproto.Value{}, p.wrong("want " + strconv.Quote("}") + " after the only field " + strconv.Quote(bytesName))
	}
	p.i++
	return syncproto.BytesValue(raw), nil
}

// number reads an integer. It checks the range digit by digit, so a number of any length cannot overflow.
func (p *jsonParser) number() (syncproto.Value, error) {
	start, n, over := p.i, uint64(0), false
	neg := p.b[p.i] == '-'
	if neg {
		p.i++
	}
	first := p.i
	for ; p.i < len(p.b) && '0' <= p.b[p.i] && p.b[p.i] <= '9'; p.i++ {
		d := uint64(p.b[p.i] - '0')
		over = over || n > (math.MaxUint64-d)/10
		n = n*10 + d
	}
	why := ""
	switch {
	case p.i == first:
		why = "want a digit after the minus"
	case p.b[first] == '0' && p.i-first > 1:
		why = "a number starts with zero"
	case p.i < len(p.b) && (p.b[p.i] == '.' || p.b[p.i]|0x20 == 'e'):
		why = "a number has a fraction or an exponent; integers only"
	case neg && n == 0:
		why = "-0 is not an integer"
	case over || neg && n > 1<<63:
		why = "a number is outside -2^63 to 2^64-1"
	case neg:
		return syncproto.IntValue(-int64(n)), nil
	default:
		return syncproto.UintValue(n), nil
	}
	return syncproto.Value{}, refuse(place(nameJSON, start), why)
}
