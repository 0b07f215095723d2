package codec

import (
	"math"
	"reflect"
	"sync/atomic"
	"unsafe"

	"github.com/handfast/handfast/syncproto"
)

// All uses of package unsafe for plans are in this file. They rely on three guarantees: the field offsets that reflect
// reports, the contents of a slice header, and that memory of a type is written through pointers of that type, which
// the garbage collector requires.

// ptr is the address of a value that a node describes.
type ptr = unsafe.Pointer

// bucketOf returns the bucket for the plan of t.
func bucketOf(t reflect.Type) *atomic.Pointer[node] {
	// The second word of an interface is its value, here the address of the runtime's type descriptor of t.
	at := uintptr((*[2]ptr)(unsafe.Pointer(&t))[1])
	return &plans[(at>>5^at>>11)%uintptr(len(plans))]
}

// travels returns the set of fields of the struct at p that are encoded, as bits, and their number.
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
		return false // opNone: the plan is not used
	}
	return n.reflect(p).IsZero()
}

// reflect is the value at p for package reflect.
func (n *node) reflect(p ptr) reflect.Value { return reflect.NewAt(n.typ, p).Elem() }

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

// emptySlice is what slices without elements point to: they are empty but not nil.
var emptySlice [1]uint64

// setLen makes the slice at p one of count zero elements. n is the list's node.
func (n *node) setLen(p ptr, count int) {
	elem := n.inside().elem
	switch {
	case count == 0:
		*slice(p) = sliceHeader{data: ptr(&emptySlice)}
	case elem.op == opBool || elem.op == opInt || elem.op == opUint: // elements without pointers
		words := make([]uint64, (uintptr(count)*elem.size+7)/8)
		*slice(p) = sliceHeader{ptr(unsafe.SliceData(words)), count, count}
	case count == 1 && elem.typ != nil:
		*slice(p) = sliceHeader{reflect.New(elem.typ).UnsafePointer(), 1, 1}
	default:
		*slice(p) = sliceHeader{}
		n.reflect(p).Grow(count) // MakeSlice would also allocate the slice header
		slice(p).len = count
	}
}

// push adds one zero element to the slice at p and returns its address.
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

// storeUint stores a non-negative integer at p, which n describes; it returns false if the integer does not fit.
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

// storeNegative stores a negative integer; it returns false if the integer does not fit.
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
