package codec

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/handfast/handfast/syncproto"
)

// A plan says how values of a Go type lie in memory and what they are in the data model, so that a codec can go from
// one to the other without a syncproto.Value between and without asking package reflect about every field of every
// value. Plans know nothing of encodings.
//
// A plan is made for a type when its first value is met, and kept: a process that starts one container makes those that
// this container's configuration needs, once, and pays for no other. All that package unsafe is used for is in this
// file. It rests on three things that the language fixes: where reflect says that a field lies, what a slice's header
// holds, and that memory of a type is written through pointers of that type, which the garbage collector relies on.
//
// A plan need not be able to do everything. Whatever it cannot do, and whatever is wrong with a value or its encoding,
// is left to the way by syncproto.ToValue and FromValue: it knows the words of every error.

// ptr is the address of a value that a node describes.
type ptr = unsafe.Pointer

// op is what values of a type are.
type op uint8

const (
	opNone op = iota // nothing that a plan can bind
	opBool
	opInt
	opUint
	opText
	opBytes      // a slice of bytes
	opBytesArray // an array of bytes
	opUnit       // struct{}: null
	opValue
	opPointer
	opList // a slice
	opArray
	opMap
	opStruct
)

// node is the plan of one type.
type node struct {
	op   op
	size uintptr                // of one value in memory
	typ  reflect.Type           // nil for what basics holds
	next *node                  // of the same bucket of plans
	part atomic.Pointer[inside] // see inside
}

// inside is what a node is made of. It is worked out when it is first needed, for most types of a large one have no
// value.
type inside struct {
	elem     *node   // of pointers, lists, arrays and maps
	n        int     // elements of an array
	fields   []field // of a struct, none where a plan cannot bind it
	required uint64  // the fields without omitempty, as bits
}

// field is a field of a struct that travels.
type field struct {
	name string // needs no escape in JSON, so that it can be compared as it stands
	node *node
	off  uintptr
	omit bool
}

// maxFields is the most fields of a struct that a plan binds: there is a bit for each.
const maxFields = 64

// basics are the plans of types without parts, by their kind; whatever a type is called it lies in memory like its
// kind.
var basics = [...]node{
	reflect.Bool:   {op: opBool, size: 1},
	reflect.Int:    {op: opInt, size: unsafe.Sizeof(int(0))},
	reflect.Int8:   {op: opInt, size: 1},
	reflect.Int16:  {op: opInt, size: 2},
	reflect.Int32:  {op: opInt, size: 4},
	reflect.Int64:  {op: opInt, size: 8},
	reflect.Uint:   {op: opUint, size: unsafe.Sizeof(uint(0))},
	reflect.Uint8:  {op: opUint, size: 1},
	reflect.Uint16: {op: opUint, size: 2},
	reflect.Uint32: {op: opUint, size: 4},
	reflect.Uint64: {op: opUint, size: 8},
	reflect.String: {op: opText, size: unsafe.Sizeof("")},
}

// plans are those of all other types that were met, in buckets. It is a table of its own since it costs nothing before
// it is used, unlike sync.Map, and is read on the way of every message. It holds no more than the program has types.
var plans [64]atomic.Pointer[node]

// planOf is the plan of t.
func planOf(t reflect.Type) *node {
	k := t.Kind()
	if int(k) < len(basics) && basics[k].op != opNone {
		return &basics[k]
	}
	// The second word of an interface is its value, here the address of what the runtime knows of t.
	at := uintptr((*[2]ptr)(unsafe.Pointer(&t))[1])
	bucket := &plans[(at>>5^at>>11)%uintptr(len(plans))]
	var made *node
	for {
		head := bucket.Load()
		for n := head; n != nil; n = n.next {
			if n.typ == t {
				return n
			}
		}
		if made == nil {
			made = &node{op: opOf(t, k), size: t.Size(), typ: t}
		}
		made.next = head
		if bucket.CompareAndSwap(head, made) {
			return made
		}
	}
}

func opOf(t reflect.Type, k reflect.Kind) op {
	switch k {
	case reflect.Pointer:
		if t.Elem().Kind() != reflect.Pointer {
			return opPointer
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return opBytes
		}
		return opList
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return opBytesArray
		}
		return opArray
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return opMap
		}
	case reflect.Struct:
		switch {
		case t.NumField() == 0:
			return opUnit
		case t == reflect.TypeFor[syncproto.Value]():
			return opValue
		}
		return opStruct
	}
	return opNone
}

// inside works out what n is made of. Two goroutines may do so at once, to the same end.
func (n *node) inside() *inside {
	if in := n.part.Load(); in != nil {
		return in
	}
	in := &inside{}
	switch n.op {
	case opStruct:
		in.fields, in.required = fieldsOf(n.typ)
	case opArray, opBytesArray:
		in.elem, in.n = planOf(n.typ.Elem()), n.typ.Len()
	default:
		in.elem = planOf(n.typ.Elem())
	}
	n.part.Store(in)
	return in
}

// fieldsOf reads the tags of a struct as syncproto.ToValue does; none for a struct that ToValue refuses or a plan
// cannot bind.
func fieldsOf(t reflect.Type) (fields []field, required uint64) {
	fields = make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("sync")
		if tag == "-" || !tagged && !f.Anonymous {
			continue
		}
		name, opt, _ := strings.Cut(tag, ",")
		same := func(have field) bool { return have.name == name }
		if !tagged || !f.IsExported() || !isPlain(name) || opt != "" && opt != "omitempty" ||
			len(fields) == maxFields || slices.ContainsFunc(fields, same) {
			return nil, 0
		}
		if opt == "" {
			required |= 1 << len(fields)
		}
		fields = append(fields, field{name: name, node: planOf(f.Type), off: f.Offset, omit: opt != ""})
	}
	return fields, required
}

// isPlain reports whether a name is allowed, and is in JSON what it is.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return name != "" && name[0] != '$'
}

// find is the index of the field called name, -1 for none. Fields mostly come in their order, so the search begins
// where the last ended.
func (in *inside) find(name []byte, from int) int {
	for i := from; i < len(in.fields); i++ {
		if in.fields[i].name == string(name) {
			return i
		}
	}
	for i := range from {
		if in.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// travels is the fields of the struct at p that are written, as bits, and how many they are.
func (in *inside) travels(p ptr) (set uint64, n int) {
	for i := range in.fields {
		if f := &in.fields[i]; !f.omit || !isEmpty(f.node, at(p, f.off)) {
			set |= 1 << i
			n++
		}
	}
	return set, n
}

func isEmpty(n *node, p ptr) bool {
	switch n.op {
	case opBool:
		return !*(*bool)(p)
	case opInt, opUint:
		return loadUint(p, n.size) == 0
	case opText:
		return *text(p) == ""
	case opBytes, opList:
		return slice(p).len == 0
	case opPointer:
		return *(*ptr)(p) == nil
	case opUnit:
		return true
	case opValue:
		return value(p).IsNull()
	case opMap:
		return n.reflect(p).Len() == 0
	case opNone:
		return false // whoever asks goes the other way
	}
	return n.reflect(p).IsZero()
}

// reflect is the value at p for package reflect.
func (n *node) reflect(p ptr) reflect.Value { return reflect.NewAt(n.typ, stays(p)).Elem() }

// stays is p, of which the compiler then believes that nobody keeps it: none of those who are given it here do. Without
// it every value that is bound would have to lie on the heap.
func stays(p ptr) ptr {
	u := uintptr(p)
	return *(*ptr)(unsafe.Pointer(&u))
}

func at(p ptr, off uintptr) ptr { return unsafe.Add(p, off) }

func text(p ptr) *string { return (*string)(p) }

func rawBytes(p ptr) *[]byte { return (*[]byte)(p) }

func texts(p ptr) *[]string { return (*[]string)(p) }

func value(p ptr) *syncproto.Value { return (*syncproto.Value)(p) }

func boolean(p ptr) *bool { return (*bool)(p) }

func pointer(p ptr) *ptr { return (*ptr)(p) }

// array is the n bytes at p.
func array(p ptr, n int) []byte { return unsafe.Slice((*byte)(p), n) }

// sliceHeader is a slice of any type.
type sliceHeader struct {
	data     ptr
	len, cap int
}

func slice(p ptr) *sliceHeader { return (*sliceHeader)(p) }

// nothing is what slices without elements point to: they are empty and not nil.
var nothing [1]uint64

// setLen makes the slice at p one of n elements, all zero. n is the list's node.
func (n *node) setLen(p ptr, count int) {
	elem := n.inside().elem
	switch {
	case count == 0:
		*slice(p) = sliceHeader{data: ptr(&nothing)}
	case elem.op == opBool || elem.op == opInt || elem.op == opUint: // no pointers within
		words := make([]uint64, (uintptr(count)*elem.size+7)/8)
		*slice(p) = sliceHeader{ptr(unsafe.SliceData(words)), count, count}
	case count == 1 && elem.typ != nil:
		*slice(p) = sliceHeader{reflect.New(elem.typ).UnsafePointer(), 1, 1}
	default:
		*slice(p) = sliceHeader{reflect.MakeSlice(n.typ, count, count).UnsafePointer(), count, count}
	}
}

// push makes room for one more element of the slice at p, which is zero, and returns its address.
func (n *node) push(p ptr) ptr {
	s := slice(p)
	if s.len == s.cap {
		n.reflect(p).Grow(max(4, s.len))
	}
	s.len++
	return at(s.data, uintptr(s.len-1)*n.inside().elem.size)
}

// alloc makes the pointer at p point to a new value, and returns its address.
func (n *node) alloc(p ptr) ptr {
	q := reflect.New(n.typ.Elem()).UnsafePointer()
	*pointer(p) = q
	return q
}

func loadUint(p ptr, size uintptr) uint64 {
	switch size {
	case 1:
		return uint64(*(*uint8)(p))
	case 2:
		return uint64(*(*uint16)(p))
	case 4:
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

func loadInt(p ptr, size uintptr) int64 {
	unused := 64 - 8*size
	return int64(loadUint(p, size)<<unused) >> unused
}

// storeUint stores an integer that is not negative in what n says is at p; false where it does not fit.
func storeUint(n *node, p ptr, u uint64) bool {
	bits := 8 * n.size
	if n.op == opInt {
		bits--
	}
	if u>>(bits-1)>>1 != 0 {
		return false
	}
	storeBits(p, n.size, u)
	return true
}

// storeNegative stores a negative integer; false where it does not fit.
func storeNegative(n *node, p ptr, i int64) bool {
	if n.op != opInt || i < math.MinInt64>>(64-8*n.size) {
		return false
	}
	storeBits(p, n.size, uint64(i))
	return true
}

func storeBits(p ptr, size uintptr, u uint64) {
	switch size {
	case 1:
		*(*uint8)(p) = uint8(u)
	case 2:
		*(*uint16)(p) = uint16(u)
	case 4:
		*(*uint32)(p) = uint32(u)
	default:
		*(*uint64)(p) = u
	}
}
