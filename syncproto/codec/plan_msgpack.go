package codec

import (
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
)

// manyBytes is how much memory a list may take before its elements are known to be present. A larger one is checked
// first.
const manyBytes = 64 << 10

// binder fills Go values from MessagePack according to their plans, in one pass. Its methods report success.
type binder struct {
	builder
	known Known
	slab  []string // memory for lists of strings
}

func (d *binder) bind(n *node, p ptr, depth int) bool {
	if d.i == len(d.b) {
		return false
	}
	start, c := d.i, d.b[d.i]
	switch n.op {
	case opBool:
		*boolean(p) = c == mpTrue
		d.i++
		return c == mpTrue || c == mpFalse
	case opInt, opUint:
		return d.integerTo(n, p, c)
	case opText:
		s, ok := d.string()
		if !ok || !utf8.Valid(s) {
			return false
		}
		*text(p) = d.hold(s)
		return true
	case opUnit:
		d.i++
		return c == mpNil
	case opPointer:
		if c == mpNil {
			d.i++
			*pointer(p) = nil
			return true
		}
		return d.bind(n.inside().elem, n.alloc(p), depth)
	case opList, opArray:
		return d.list(n, p, depth)
	case opStruct:
		return d.fields(n.inside(), p, depth)
	case opMap:
		return d.entries(n, p, depth)
	case opBytes, opBytesArray:
		if !isLength(c, lenOfBytes) {
			return false
		}
		d.i++
		s, err := d.take(start, lenOfBytes, 1)
		if n.op == opBytes {
			*rawBytes(p) = append(make([]byte, 0, len(s)), s...)
			return err == nil
		}
		return err == nil && copy(array(p, n.inside().n), s) == n.inside().n && len(s) == n.inside().n
	case opValue:
		return d.value(value(p), depth)
	}
	return false
}

func (d *binder) integerTo(n *node, p ptr, c byte) bool {
	start := d.i
	d.i++
	switch {
	case c <= mpMaxPositive:
		return storeUint(n, p, uint64(c))
	case c >= mpFixNegative:
		return storeNegative(n, p, int64(int8(c)))
	case c < mpUint8 || c > mpInt64 || d.integer(start, c) != nil:
		return false
	}
	size := d.i - start - 1
	u := uint64(0)
	for _, b := range d.b[start+1 : d.i] {
		u = u<<8 | uint64(b)
	}
	if c <= mpUint64 {
		return storeUint(n, p, u)
	}
	unused := 64 - 8*size
	return storeNegative(n, p, int64(u<<unused)>>unused)
}

// hold returns the text that was just read: the known string, or a substring of the copy of the message.
func (d *binder) hold(s []byte) string {
	if len(s) == 0 {
		return ""
	}
	if d.known != nil {
		if k := d.known.Known(s); k == string(s) {
			return k
		}
	}
	if d.builder.text == "" {
		d.builder.text = string(d.b)
	}
	return d.builder.text[d.i-len(s) : d.i]
}

// value checks a value as Decode does, then makes it.
func (d *binder) value(v *syncproto.Value, depth int) bool {
	start := d.i
	if d.walker.value(depth) != nil {
		return false
	}
	if d.b[start] == mpNil {
		*v = syncproto.Value{}
		return true
	}
	m := builder{walker: walker{b: d.b, i: start}, text: d.builder.text}
	got, err := m.value()
	*v, d.builder.text = got, m.text
	return err == nil
}

// enter reads the length of a list or map that starts with the next byte, and counts its elements.
func (d *binder) enter(of *lengths, least uint64, depth int) (count int, ok bool) {
	start := d.i
	if start == len(d.b) || !isLength(d.b[start], of) {
		return 0, false
	}
	d.i++
	n, err := d.length(start, of, least)
	if err != nil || depth == 0 || n > uint64(d.left) {
		return 0, false
	}
	d.left -= int(n)
	return int(n), true
}

// isThere reports whether count well-formed values follow. It only checks if they would take much memory.
func (d *binder) isThere(count int, each uintptr, depth int) bool {
	if uint64(count)*uint64(each) <= manyBytes {
		return true
	}
	w := d.walker
	for range count {
		if w.value(depth) != nil {
			return false
		}
	}
	return true
}

func (d *binder) list(n *node, p ptr, depth int) bool {
	count, ok := d.enter(lenOfList, 1, depth)
	in := n.inside()
	switch {
	case !ok || in.elem.op == opNone:
		return false
	case n.op == opArray:
		if count != in.n {
			return false
		}
	case !d.isThere(count, in.elem.size, depth-1):
		return false
	case in.elem.op == opText:
		*texts(p) = cutTexts(&d.slab, count)
		p = slice(p).data
	default:
		n.setLen(p, count)
		p = slice(p).data
	}
	for i := range count {
		if !d.bind(in.elem, at(p, uintptr(i)*in.elem.size), depth-1) {
			return false
		}
	}
	return true
}

// cutTexts returns a list of n strings. Short lists share their memory.
func cutTexts(slab *[]string, n int) []string {
	const few = 32
	if n >= few/2 || n == 0 {
		return make([]string, n)
	}
	if n > len(*slab) {
		*slab = make([]string, few)
	}
	s := (*slab)[:n:n]
	*slab = (*slab)[n:]
	return s
}

func (d *binder) fields(in *inside, p ptr, depth int) bool {
	count, ok := d.enter(lenOfMap, 2, depth)
	if !ok || len(in.fields) == 0 {
		return false
	}
	seen, from := uint64(0), 0
	for range count {
		name, ok := d.string()
		if !ok {
			return false
		}
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
	return seen&in.required == in.required
}

func (d *binder) entries(n *node, p ptr, depth int) bool {
	count, ok := d.enter(lenOfMap, 2, depth)
	if !ok {
		return false
	}
	m := n.newMap()
	for range count {
		s, ok := d.string()
		if !ok {
			return false
		}
		key := string(s)
		if badName(key) != "" || !d.bind(n.inside().elem, m.next(), depth-1) || !m.add(key) {
			return false
		}
	}
	m.store(p)
	return true
}
