package codec

import (
	"cmp"
	"reflect"
	"slices"
)

// Plans cannot describe the memory of Go maps, so package reflect reads and makes them.

// entry is one entry of a map, with its value copied to addressable memory.
type entry struct {
	key  string
	elem ptr
}

// entries returns the entries of the map at p in the order of their keys, so that a value has only one encoding.
func (n *node) entries(p ptr) []entry {
	m := n.reflect(p)
	list := make([]entry, 0, m.Len())
	for i := m.MapRange(); i.Next(); {
		e := reflect.New(n.typ.Elem())
		e.Elem().Set(i.Value())
		list = append(list, entry{i.Key().String(), e.UnsafePointer()})
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return list
}

// maker fills a new map.
type maker struct {
	n       *node
	m, elem reflect.Value
}

func (n *node) newMap() maker { return maker{n: n, m: reflect.MakeMap(n.typ)} }

// next returns the address for the value of the next entry.
func (m *maker) next() ptr {
	m.elem = reflect.New(m.n.typ.Elem())
	return m.elem.UnsafePointer()
}

// add adds an entry with that value; it returns false if the key exists already.
func (m *maker) add(key string) bool {
	k := reflect.ValueOf(key).Convert(m.n.typ.Key())
	if m.m.MapIndex(k).IsValid() {
		return false
	}
	m.m.SetMapIndex(k, m.elem.Elem())
	return true
}

// store stores the map at p.
func (m *maker) store(p ptr) { m.n.reflect(p).Set(m.m) }
