package codec

import (
	"strconv"
	"unicode/utf8"
)

// encoder appends values according to their plans. Its methods report success; after a failure the bytes are
// meaningless.
type encoder struct {
	b    []byte
	left int // how many more values are allowed, as in check
}

// enter counts the n elements of a struct, list or map, and checks the depth.
func (e *encoder) enter(n, depth int) bool {
	e.left -= n
	return depth > 0 && e.left >= 0
}

func (e *encoder) msgpack(n *node, p ptr, depth int) bool {
	switch n.op {
	case opBool:
		if *boolean(p) {
			e.b = append(e.b, mpTrue)
		} else {
			e.b = append(e.b, mpFalse)
		}
	case opInt:
		if i := loadInt(p, n.size); i < 0 {
			e.b = appendMsgpackNegative(e.b, i)
		} else {
			e.b = appendMsgpackUint(e.b, uint64(i))
		}
	case opUint:
		e.b = appendMsgpackUint(e.b, loadUint(p, n.size))
	case opText:
		s := *text(p)
		if !utf8.ValidString(s) {
			return false
		}
		e.b = append(appendMsgpackLen(e.b, lenOfString, len(s)), s...)
	case opBytes:
		e.b = append(appendMsgpackLen(e.b, lenOfBytes, len(*rawBytes(p))), *rawBytes(p)...)
	case opBytesArray:
		count := n.inside().n
		e.b = append(appendMsgpackLen(e.b, lenOfBytes, count), array(p, count)...)
	case opUnit:
		e.b = append(e.b, mpNil)
	case opValue:
		if check(value(p), depth, &e.left) != nil {
			return false
		}
		e.b = appendMsgpack(e.b, value(p))
	case opPointer:
		if q := *pointer(p); q != nil {
			return e.msgpack(n.inside().elem, q, depth)
		}
		e.b = append(e.b, mpNil)
	case opList:
		return e.msgpackList(n.inside().elem, slice(p).data, slice(p).len, depth)
	case opArray:
		return e.msgpackList(n.inside().elem, p, n.inside().n, depth)
	case opMap:
		return e.msgpackMap(n, p, depth)
	case opStruct:
		return e.msgpackStruct(n.inside(), p, depth)
	default:
		return false
	}
	return true
}

func (e *encoder) msgpackList(elem *node, p ptr, count, depth int) bool {
	if !e.enter(count, depth) {
		return false
	}
	e.b = appendMsgpackLen(e.b, lenOfList, count)
	for i := range count {
		if !e.msgpack(elem, at(p, uintptr(i)*elem.size), depth-1) {
			return false
		}
	}
	return true
}

func (e *encoder) msgpackMap(n *node, p ptr, depth int) bool {
	list := n.entries(p)
	if !e.enter(len(list), depth) {
		return false
	}
	e.b = appendMsgpackLen(e.b, lenOfMap, len(list))
	for i := range list {
		if badName(list[i].key) != "" {
			return false
		}
		e.b = append(appendMsgpackLen(e.b, lenOfString, len(list[i].key)), list[i].key...)
		if !e.msgpack(n.inside().elem, list[i].elem, depth-1) {
			return false
		}
	}
	return true
}

func (e *encoder) msgpackStruct(in *inside, p ptr, depth int) bool {
	set, count := in.travels(p)
	if len(in.fields) == 0 || !e.enter(count, depth) {
		return false
	}
	e.b = appendMsgpackLen(e.b, lenOfMap, count)
	for i := range in.fields {
		if set>>i&1 == 0 {
			continue
		}
		f := &in.fields[i]
		e.b = append(appendMsgpackLen(e.b, lenOfString, len(f.name)), f.name...)
		if !e.msgpack(f.node, at(p, f.off), depth-1) {
			return false
		}
	}
	return true
}

func (e *encoder) json(n *node, p ptr, depth int) bool {
	switch n.op {
	case opBool:
		e.b = strconv.AppendBool(e.b, *boolean(p))
	case opInt:
		e.b = strconv.AppendInt(e.b, loadInt(p, n.size), 10)
	case opUint:
		e.b = strconv.AppendUint(e.b, loadUint(p, n.size), 10)
	case opText:
		s := *text(p)
		if !utf8.ValidString(s) {
			return false
		}
		e.b = appendJSONString(e.b, s)
	case opBytes:
		e.b = appendJSONBytes(e.b, *rawBytes(p))
	case opBytesArray:
		e.b = appendJSONBytes(e.b, array(p, n.inside().n))
	case opUnit:
		e.b = append(e.b, "null"...)
	case opValue:
		if check(value(p), depth, &e.left) != nil {
			return false
		}
		e.b = appendJSON(e.b, value(p))
	case opPointer:
		if q := *pointer(p); q != nil {
			return e.json(n.inside().elem, q, depth)
		}
		e.b = append(e.b, "null"...)
	case opList:
		return e.jsonList(n.inside().elem, slice(p).data, slice(p).len, depth)
	case opArray:
		return e.jsonList(n.inside().elem, p, n.inside().n, depth)
	case opMap:
		return e.jsonMap(n, p, depth)
	case opStruct:
		return e.jsonStruct(n.inside(), p, depth)
	default:
		return false
	}
	return true
}

func (e *encoder) jsonList(elem *node, p ptr, count, depth int) bool {
	if !e.enter(count, depth) {
		return false
	}
	e.b = append(e.b, '[')
	for i := range count {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		if !e.json(elem, at(p, uintptr(i)*elem.size), depth-1) {
			return false
		}
	}
	e.b = append(e.b, ']')
	return true
}

func (e *encoder) jsonMap(n *node, p ptr, depth int) bool {
	list := n.entries(p)
	if !e.enter(len(list), depth) {
		return false
	}
	e.b = append(e.b, '{')
	for i := range list {
		if badName(list[i].key) != "" {
			return false
		}
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = append(appendJSONString(e.b, list[i].key), ':')
		if !e.json(n.inside().elem, list[i].elem, depth-1) {
			return false
		}
	}
	e.b = append(e.b, '}')
	return true
}

func (e *encoder) jsonStruct(in *inside, p ptr, depth int) bool {
	set, count := in.travels(p)
	if len(in.fields) == 0 || !e.enter(count, depth) {
		return false
	}
	e.b = append(e.b, '{')
	comma := false
	for i := range in.fields {
		if set>>i&1 == 0 {
			continue
		}
		if comma {
			e.b = append(e.b, ',')
		}
		comma = true
		f := &in.fields[i]
		e.b = append(e.b, '"')
		e.b = append(append(e.b, f.name...), '"', ':')
		if !e.json(f.node, at(p, f.off), depth-1) {
			return false
		}
	}
	e.b = append(e.b, '}')
	return true
}
