package codec

import (
	"cmp"
	"reflect"
	"slices"
)

// Maps of Go have no memory that a plan could know, so package reflect reads and makes them.

// entry is one entry of a map, its value copied to where it has an address.
type entry struct {
	key  string
	elem ptr
}

// entries are those of the map at p in the order of their keys: one value has one encoding.
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

// next is where the value of the next entry goes.
func (m *maker) next() ptr {
	m.elem = reflect.New(m.n.typ.Elem())
	return m.elem.UnsafePointer()
}

// add adds the entry whose value is there; false where there is one of that key.
func (m *maker) add(key string) bool {
	k := reflect.ValueOf(key).Convert(m.n.typ.Key())
	if m.m.MapIndex(k).IsValid() {
		return false
	}
	m.m.SetMapIndex(k, m.elem.Elem())
	return true
}

// store puts the map in its place.
func (m *maker) store(p ptr) { m.n.reflect(p).Set(m.m) }
