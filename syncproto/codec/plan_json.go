package codec

import (
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
)

// jsonBinder fills Go values from JSON according to their plans, in one pass. Its methods report success.
type jsonBinder struct {
	jsonParser
	known Known
	slab  []string // memory for lists of strings
	stack []string // strings of the lists that are still open
}

func (d *jsonBinder) bind(n *node, p ptr, depth int) bool {
	if d.left--; d.left < 0 {
		return false
	}
	c := d.peek()
	switch n.op {
	case opBool:
		*boolean(p) = d.word("true")
		return *boolean(p) || d.word("false")
	case opInt, opUint:
		return d.integerTo(n, p, c)
	case opText:
		s, ok := d.textTo()
		*text(p) = s
		return ok
	case opUnit:
		return d.word("null")
	case opPointer:
		if d.word("null") {
			*pointer(p) = nil
			return true
		}
		d.left++ // it counts as one value
		return d.bind(n.inside().elem, n.alloc(p), depth)
	case opList:
		return d.list(n, p, depth)
	case opArray:
		return d.array(n.inside(), p, depth)
	case opStruct:
		return d.fields(n.inside(), p, depth)
	case opMap:
		return d.entries(n, p, depth)
	case opBytes, opBytesArray, opValue:
		d.left++
		v, err := d.value(depth)
		if n.op == opValue {
			*value(p) = v
			return err == nil
		}
		return err == nil && bytesTo(n, p, v)
	}
	return false
}

func bytesTo(n *node, p ptr, v syncproto.Value) bool {
	s, ok := v.RawBytes()
	if n.op == opBytes {
		*rawBytes(p) = []byte(s)
		return ok
	}
	return ok && len(s) == n.inside().n && copy(array(p, len(s)), s) == len(s)
}

func (d *jsonBinder) integerTo(n *node, p ptr, c byte) bool {
	if c != '-' && (c < '0' || c > '9') {
		return false
	}
	v, err := d.number()
	if err != nil {
		return false
	}
	if u, ok := v.Uint(); ok {
		return storeUint(n, p, u)
	}
	i, _ := v.Int()
	return storeNegative(n, p, i)
}

// plainString reads a string without escapes. It reads nothing if the string has one or is malformed.
func (d *jsonBinder) plainString() (s []byte, ok bool) {
	for i := d.i + 1; i < len(d.b); i++ {
		switch c := d.b[i]; {
		case c == '"':
			s = d.b[d.i+1 : i]
			if !utf8.Valid(s) {
				return nil, false
			}
			d.i = i + 1
			return s, true
		case c == '\\' || c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// textTo reads a string: the known one, or a substring of the copy of the message.
func (d *jsonBinder) textTo() (string, bool) {
	if d.peek() != '"' {
		return "", false
	}
	start := d.i
	s, ok := d.plainString()
	if !ok {
		t, err := d.text()
		return t, err == nil
	}
	if d.known != nil {
		if k := d.known.Known(s); k == string(s) {
			return k, true
		}
	}
	if len(s) == 0 {
		return "", true
	}
	if d.copied == "" {
		d.copied = string(d.b)
	}
	return d.copied[start+1 : d.i-1], true
}

// open skips the bracket that starts a list or map.
func (d *jsonBinder) open(bracket byte, depth int) bool {
	if d.peek() != bracket || depth == 0 {
		return false
	}
	d.i++
	return true
}

func (d *jsonBinder) list(n *node, p ptr, depth int) bool {
	elem := n.inside().elem
	if !d.open('[', depth) || elem.op == opNone {
		return false
	}
	if elem.op == opText {
		return d.texts(p)
	}
	n.setLen(p, 0)
	for first := true; ; first = false {
		done, err := d.next(']', first)
		if err != nil {
			return false
		}
		if done {
			return true
		}
		if !d.bind(elem, n.push(p), depth-1) {
			return false
		}
	}
}

// texts reads a list of strings after its opening bracket.
func (d *jsonBinder) texts(p ptr) bool {
	base := len(d.stack)
	for first := true; ; first = false {
		done, err := d.next(']', first)
		if err != nil {
			return false
		}
		if done {
			break
		}
		s, ok := d.textTo()
		if d.left--; d.left < 0 || !ok {
			return false
		}
		d.stack = push(d.stack, s)
	}
	list := cutTexts(&d.slab, len(d.stack)-base)
	copy(list, d.stack[base:])
	d.stack = d.stack[:base]
	*texts(p) = list
	return true
}

func (d *jsonBinder) array(in *inside, p ptr, depth int) bool {
	if !d.open('[', depth) {
		return false
	}
	for i := 0; ; i++ {
		done, err := d.next(']', i == 0)
		if err != nil {
			return false
		}
		if done || i == in.n {
			return done && i == in.n
		}
		if !d.bind(in.elem, at(p, uintptr(i)*in.elem.size), depth-1) {
			return false
		}
	}
}

func (d *jsonBinder) fields(in *inside, p ptr, depth int) bool {
	if !d.open('{', depth) || len(in.fields) == 0 {
		return false
	}
	seen, from := uint64(0), 0
	for first := true; ; first = false {
		done, err := d.next('}', first)
		if err != nil {
			return false
		}
		if done {
			return seen&in.required == in.required
		}
		if d.peek() != '"' {
			return false
		}
		name, ok := d.plainString()
		if !ok || d.peek() != ':' {
			return false
		}
		d.i++
		i := in.fieldIndex(name, from)
		if i < 0 || seen>>i&1 != 0 {
			return false
		}
		seen |= 1 << i
		from = i + 1
		if !d.bind(in.fields[i].node, at(p, in.fields[i].off), depth-1) {
			return false
		}
	}
}

func (d *jsonBinder) entries(n *node, p ptr, depth int) bool {
	if !d.open('{', depth) {
		return false
	}
	m := n.newMap()
	for first := true; ; first = false {
		done, err := d.next('}', first)
		if err != nil {
			return false
		}
		if done {
			m.store(p)
			return true
		}
		key, err := d.name()
		if err != nil || badName(key) != "" || !d.bind(n.inside().elem, m.next(), depth-1) || !m.add(key) {
			return false
		}
	}
}
