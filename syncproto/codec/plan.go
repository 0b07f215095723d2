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

// A plan says how values of a Go type lie in memory and what they are in the data model, so that a codec can go from
// one to the other without a syncproto.Value between and without asking package reflect about every field of every
// value. Plans know nothing of encodings.
//
// A plan is made for a type when its first value is met, and kept: a process that starts one container makes those that
// this container's configuration needs, once, and pays for no other. How memory is read and written is in
// plan_memory.go.
//
// A plan need not be able to do everything. Whatever it cannot do, and whatever is wrong with a value or its encoding,
// is left to the way by syncproto.ToValue and FromValue: it knows the words of every error.

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
	size uintptr      // of one value in memory
	typ  reflect.Type // nil for what basics holds
	next *node        // of the same bucket of plans
	in   inside       // once known, see there
	done atomic.Bool  // it is known
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

// plans are those of all other types that were met, in buckets. It is a table of its own since it costs nothing before
// it is used, unlike sync.Map, and is read on the way of every message. It holds no more than the program has types.
var plans [64]atomic.Pointer[node]

// making is held while a plan is made. What plans are made of is taken from the heap by the dozen: a process that makes
// them for one configuration would otherwise spend most of the time on that.
var making struct {
	sync.Mutex
	nodes  []node
	fields []field
}

// met is the plan of a type that was met before, nil for another.
func met(t reflect.Type) *node {
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

// planOf is the plan of t.
func planOf(t reflect.Type) *node {
	if n := met(t); n != nil {
		return n
	}
	making.Lock()
	defer making.Unlock()
	return makePlan(t)
}

// makePlan is planOf for who holds making.
func makePlan(t reflect.Type) *node {
	if n := met(t); n != nil {
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

// inside works out what n is made of.
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
		n.in.elem, n.in.n = makePlan(n.typ.Elem()), n.typ.Len()
	default:
		n.in.elem = makePlan(n.typ.Elem())
	}
	n.done.Store(true)
}

// fieldsOf reads the tags of a struct as syncproto.ToValue does, for who holds making; none for a struct that ToValue
// refuses or a plan cannot bind.
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
		fields = append(fields, field{name: name, node: makePlan(f.Type), off: f.Offset, omit: opt != ""})
	}
	making.fields = making.fields[len(fields):]
	return fields[:len(fields):len(fields)], required
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
