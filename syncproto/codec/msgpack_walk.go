package codec

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// First bytes of values, named as in the specification.
const (
	mpMaxPositive = 0x7f // positive fixint: the byte itself
	mpFixMap      = 0x80
	mpFixArray    = 0x90
	mpFixStr      = 0xa0
	mpNil         = 0xc0
	mpFalse       = 0xc2
	mpTrue        = 0xc3
	mpBin8        = 0xc4
	mpBin16       = 0xc5
	mpBin32       = 0xc6
	mpUint8       = 0xcc
	mpUint16      = 0xcd
	mpUint32      = 0xce
	mpUint64      = 0xcf
	mpInt8        = 0xd0
	mpInt16       = 0xd1
	mpInt32       = 0xd2
	mpInt64       = 0xd3
	mpStr8        = 0xd9
	mpStr16       = 0xda
	mpStr32       = 0xdb
	mpArray16     = 0xdc
	mpArray32     = 0xdd
	mpMap16       = 0xde
	mpMap32       = 0xdf
	mpFixNegative = 0xe0 // negative fixint: the byte itself, as int8
	mpMinNegative = -32
)

// lengths lists the ways to encode the length of one kind. A zero code8 means that there is none.
type lengths struct {
	fixed                 byte
	maxFixed              int // -1 if no length fits the first byte
	code8, code16, code32 byte
}

var (
	lenOfString = &lengths{mpFixStr, 31, mpStr8, mpStr16, mpStr32}
	lenOfBytes  = &lengths{0, -1, mpBin8, mpBin16, mpBin32}
	lenOfList   = &lengths{mpFixArray, 15, 0, mpArray16, mpArray32}
	lenOfMap    = &lengths{mpFixMap, 15, 0, mpMap16, mpMap32}
)

// walker checks an encoding before any value is made from it. It allocates nothing, so a claimed length cannot cost
// memory. What it accepts is complete, in the shortest form, within the data model, not too deep and not too large.
// Duplicate names are found later, when the names are at hand.
type walker struct {
	b    []byte
	i    int
	left int // how many more values are allowed
}

func (w *walker) wrong(at int, why string) error { return refuse(place(nameMessagePack, at), why) }

// value checks one value. It recurses at most depth times, which Limits.Depth keeps below 256.
func (w *walker) value(depth int) error {
	if w.i == len(w.b) {
		return w.wrong(w.i, "the end stands where a value should")
	}
	at, c := w.i, w.b[w.i]
	w.i++
	switch {
	case c <= mpMaxPositive || c >= mpFixNegative || c == mpNil || c == mpFalse || c == mpTrue:
		return nil
	case c >= mpUint8 && c <= mpInt64:
		return w.integer(at, c)
	case isLength(c, lenOfString):
		return w.text(at, lenOfString, "text")
	case isLength(c, lenOfBytes):
		_, err := w.take(at, lenOfBytes, 1)
		return err
	case isLength(c, lenOfList), isLength(c, lenOfMap):
		return w.nested(at, c, depth)
	}
	return w.wrong(at, "first byte 0x"+strconv.FormatUint(uint64(c), 16)+
		" is a float, an extension or nothing; the data model has none of these")
}

// isLength reports whether a value of that kind can start with c.
func isLength(c byte, of *lengths) bool {
	return of.maxFixed >= 0 && c >= of.fixed && int(c-of.fixed) <= of.maxFixed || of.code8 != 0 && c == of.code8 ||
		c == of.code16 || c == of.code32
}

func (w *walker) integer(at int, c byte) error {
	n, err := w.number(at, 1<<(c&3))
	if err != nil {
		return err
	}
	short := false
	switch c {
	case mpUint8:
		short = n > mpMaxPositive
	case mpUint16:
		short = n > math.MaxUint8
	case mpUint32:
		short = n > math.MaxUint16
	case mpUint64:
		short = n > math.MaxUint32
	case mpInt8:
		short = int8(n) < mpMinNegative
	case mpInt16:
		short = int16(n) < math.MinInt8
	case mpInt32:
		short = int32(n) < math.MinInt16
	case mpInt64:
		short = int64(n) < math.MinInt32
	}
	if !short {
		return w.wrong(at, "an integer is not in its shortest form")
	}
	return nil
}

// number reads size bytes in network byte order.
func (w *walker) number(at, size int) (n uint64, err error) {
	if len(w.b)-w.i < size {
		return 0, w.wrong(at, "the end stands inside a number")
	}
	for _, c := range w.b[w.i : w.i+size] {
		n = n<<8 | uint64(c)
	}
	w.i += size
	return n, nil
}

// length reads the length of the value at byte at, whose first byte has been read. It refuses a length that needs more
// bytes than remain if each element takes at least least of them.
func (w *walker) length(at int, of *lengths, least uint64) (n uint64, err error) {
	c, short := w.b[at], true
	switch {
	case of.code8 != 0 && c == of.code8:
		n, err = w.number(at, 1)
		short = of.maxFixed < 0 || n > uint64(of.maxFixed)
	case c == of.code16:
		n, err = w.number(at, 2)
		short = of.code8 != 0 && n > math.MaxUint8 || of.code8 == 0 && n > uint64(of.maxFixed)
	case c == of.code32:
		n, err = w.number(at, 4)
		short = n > math.MaxUint16
	default:
		n = uint64(c - of.fixed)
	}
	switch {
	case err != nil:
		return 0, err
	case n*least > uint64(len(w.b)-w.i):
		return 0, w.wrong(at, "a length of "+strconv.FormatUint(n, 10)+" needs more than the "+strconv.Itoa(len(w.b)-w.i)+
			" bytes that remain")
	case !short:
		return 0, w.wrong(at, "a length is not in its shortest form")
	}
	return n, nil
}

// take reads a length and returns as many bytes.
func (w *walker) take(at int, of *lengths, least uint64) ([]byte, error) {
	start := w.i
	if c := w.b[at]; c&^31 == mpFixStr && int(c&31) <= len(w.b)-start { // the usual case
		w.i += int(c & 31)
		return w.b[start:w.i], nil
	}
	n, err := w.length(at, of, least)
	if err != nil {
		return nil, err
	}
	start = w.i
	w.i += int(n)
	return w.b[start:w.i], nil
}

func (w *walker) text(at int, of *lengths, what string) error {
	s, err := w.take(at, of, 1)
	if err == nil && !utf8.Valid(s) {
		err = w.wrong(at, what+" is not valid UTF-8")
	}
	return err
}

// nested checks a list or a map.
func (w *walker) nested(at int, c byte, depth int) error {
	of, each := lenOfList, uint64(1)
	isMap := isLength(c, lenOfMap)
	if isMap {
		of, each = lenOfMap, 2
	}
	n, err := w.length(at, of, each)
	if err != nil {
		return err
	}
	if depth == 0 {
		return tooDeep(place(nameMessagePack, at))
	}
	if n > uint64(w.left) {
		return tooMany(place(nameMessagePack, at))
	}
	w.left -= int(n)
	for range n {
		if isMap {
			if err := w.name(); err != nil {
				return err
			}
		}
		if err := w.value(depth - 1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) name() error {
	at := w.i
	if at == len(w.b) || !isLength(w.b[at], lenOfString) {
		return w.wrong(at, "a key of a map is not a string")
	}
	w.i++
	s, err := w.take(at, lenOfString, 1)
	if err != nil {
		return err
	}
	if len(s) > 0 && s[0] == '$' || !utf8.Valid(s) {
		return w.wrong(at, badName(string(s)))
	}
	return nil
}

// string reads the text that comes next in input that was checked before; ok is false if it is something else.
func (w *walker) string() (s []byte, ok bool) {
	if w.i == len(w.b) || !isLength(w.b[w.i], lenOfString) {
		return nil, false
	}
	w.i++
	s, err := w.take(w.i-1, lenOfString, 1)
	return s, err == nil
}
