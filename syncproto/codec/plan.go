package codec

import (
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/handfast/handfast/syncproto"
)

// A plan describes how values of a Go type are laid out in memory and what they become in the data model. With it a
// codec can convert one to the other without an intermediate syncproto.Value, and without using package reflect for
// every field of every value. Plans do not depend on the encoding. A plan is made for a type when its first value is
// encoded or decoded, and cached: a process that starts one container makes the plans that its configuration needs,
// once, and no others. plan_memory.go reads and writes the memory. A plan need not support everything. Unsupported
// types, and all errors in a value or its encoding, are left to the conversion by syncproto.ToValue and FromValue,
// which produces the error.

// op is how values of a type are converted.
type op uint8

const (
	opNone op = iota // not supported by plans
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
	size uintptr      // of one value in memory
	typ  reflect.Type // nil for types in basics
	next *node        // the next one in the same bucket of plans
	in   inside       // valid once done is set
	done atomic.Bool  // in is valid
}

// inside holds the parts of a type. They are determined on first use, because most types within a large one have no
// value.
type inside struct {
	elem     *node   // of pointers, lists, arrays and maps
	n        int     // elements of an array
	fields   []field // of a struct; none if plans do not support it
	required uint64  // the fields without omitempty, as bits
}

// field is a field of a struct that is encoded.
type field struct {
	name string // needs no escape in JSON, so it can be compared directly
	node *node
	off  uintptr
	omit bool
}

// maxFields is the maximum number of fields of a struct in a plan, which uses one bit for each.
const maxFields = 64

// basics are the plans of types without parts, indexed by kind; a named type has the same memory layout as its kind.
var basics = [...]node{
	reflect.Bool:   {op: opBool, size: 1},
	reflect.Int:    {op: opInt, size: bits.UintSize / 8},
	reflect.Int8:   {op: opInt, size: 1},
	reflect.Int16:  {op: opInt, size: 2},
	reflect.Int32:  {op: opInt, size: 4},
	reflect.Int64:  {op: opInt, size: 8},
	reflect.Uint:   {op: opUint, size: bits.UintSize / 8},
	reflect.Uint8:  {op: opUint, size: 1},
	reflect.Uint16: {op: opUint, size: 2},
	reflect.Uint32: {op: opUint, size: 4},
	reflect.Uint64: {op: opUint, size: 8},
	reflect.String: {op: opText, size: 2 * bits.UintSize / 8},
}

// plans is a hash table of the plans made so far for all other types. Unlike a sync.Map it costs nothing before it is
// used, and it is read for every message. It cannot grow larger than the number of types in the program.
var plans [64]atomic.Pointer[node]

// making is locked while a plan is made. Nodes and fields are allocated in batches: a process that makes the plans of
// one configuration would otherwise spend most of its time on allocations.
var making struct {
	sync.Mutex
	nodes  []node
	fields []field
}

// cachedPlan returns the plan of a type if it has been made before, and nil otherwise.
func cachedPlan(t reflect.Type) *node {
	if k := t.Kind(); int(k) < len(basics) && basics[k].op != opNone {
		return &basics[k]
	}
	for n := bucketOf(t).Load(); n != nil; n = n.next {
		if n.typ == t {
			return n
		}
	}
	return nil
}

// planOf returns the plan of t.
func planOf(t reflect.Type) *node {
	if n := cachedPlan(t); n != nil {
		return n
	}
	making.Lock()
	defer making.Unlock()
	return planOfLocked(t)
}

// planOfLocked is planOf; the caller has locked making.
func planOfLocked(t reflect.Type) *node {
	if n := cachedPlan(t); n != nil {
		return n
	}
	if len(making.nodes) == 0 {
		making.nodes = make([]node, 16)
	}
	n := &making.nodes[0]
	making.nodes = making.nodes[1:]
	bucket := bucketOf(t)
	n.op, n.size, n.typ, n.next = opOf(t, t.Kind()), t.Size(), t, bucket.Load()
	bucket.Store(n)
	return n
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

// inside returns the parts of n, and determines them on first use.
func (n *node) inside() *inside {
	if !n.done.Load() {
		n.workOut()
	}
	return &n.in
}

func (n *node) workOut() {
	making.Lock()
	defer making.Unlock()
	switch {
	case n.done.Load():
		return
	case n.op == opStruct:
		n.in.fields, n.in.required = fieldsOf(n.typ)
	case n.op == opArray || n.op == opBytesArray:
		n.in.elem, n.in.n = planOfLocked(n.typ.Elem()), n.typ.Len()
	default:
		n.in.elem = planOfLocked(n.typ.Elem())
	}
	n.done.Store(true)
}

// fieldsOf parses the tags of a struct as syncproto.ToValue does; the caller has locked making. It returns none for a
// struct that ToValue refuses or that plans do not support.
func fieldsOf(t reflect.Type) (fields []field, required uint64) {
	if len(making.fields) < t.NumField() {
		making.fields = make([]field, max(64, t.NumField()))
	}
	fields = making.fields[:0:t.NumField()]
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
		fields = append(fields, field{name: name, node: planOfLocked(f.Type), off: f.Offset, omit: opt != ""})
	}
	making.fields = making.fields[len(fields):]
	return fields[:len(fields):len(fields)], required
}

// isPlain reports whether a name is allowed and needs no escape in JSON.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return name != "" && name[0] != '$'
}

// fieldIndex returns the index of the field called name, or -1. Fields usually come in order, so the search starts at
// from, where the last one ended.
func (in *inside) fieldIndex(name []byte, from int) int {
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
