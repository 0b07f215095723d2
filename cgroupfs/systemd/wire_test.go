package systemd

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var little binary.ByteOrder = binary.LittleEndian

var same = cmp.AllowUnexported(message{}, Value{})

// kinds draws a type.
func kinds(t *rapid.T, depth int) string {
	basic := rapid.SampledFrom(strings.Split("ybnqiuxtdsog", ""))
	if depth == 0 {
		return basic.Draw(t, "basic")
	}
	switch rapid.IntRange(0, 4).Draw(t, "shape") {
	case 0:
		return "a" + kinds(t, depth-1)
	case 1:
		return "(" + kinds(t, depth-1) + kinds(t, depth-1) + ")"
	case 2:
		return "v"
	case 3:
		return "a{" + rapid.SampledFrom(strings.Split("ynqiuxts", "")).Draw(t, "key") + kinds(t, depth-1) + "}"
	}
	return basic.Draw(t, "basic")
}

// values draws a value of a type.
func values(t *rapid.T, kind string, depth int) Value {
	v := Value{kind: kind}
	switch kind[0] {
	case 'b':
		v.n = rapid.Uint64Range(0, 1).Draw(t, "b")
	case 'y':
		v.n = uint64(rapid.Byte().Draw(t, "y"))
	case 'n':
		v.n = uint64(int64(rapid.Int16().Draw(t, "n")))
	case 'q':
		v.n = uint64(rapid.Uint16().Draw(t, "q"))
	case 'i':
		v.n = uint64(int64(rapid.Int32().Draw(t, "i")))
	case 'u':
		v.n = uint64(rapid.Uint32().Draw(t, "u"))
	case 'x', 't':
		v.n = rapid.Uint64().Draw(t, "x")
	case 'd':
		v = double(rapid.Float64().Draw(t, "d"))
	case 's':
		v.text = strings.ReplaceAll(rapid.String().Draw(t, "s"), "\x00", "")
	case 'o':
		v.text = rapid.SampledFrom([]string{"/", "/a", "/a/b_1"}).Draw(t, "o")
	case 'g':
		v.text = rapid.SampledFrom([]string{"", "s", "a(st)", "a{sv}"}).Draw(t, "g")
	case 'v':
		v.items = []Value{values(t, kinds(t, max(depth-1, 0)), depth-1)}
	case 'a':
		most := 3
		if kind[1] == '{' {
			most = 1 // the other side holds them without an order
		}
		for range rapid.IntRange(0, most).Draw(t, "length") {
			v.items = append(v.items, values(t, kind[1:], depth-1))
		}
	default:
		all, _ := members(kind)
		for _, k := range all {
			v.items = append(v.items, values(t, k, depth-1))
		}
	}
	return v
}

// typeOf and valueOf are a Value as godbus takes one.
func typeOf(kind string) reflect.Type {
	switch kind[0] {
	case 'a':
		if kind[1] == '{' {
			kv, _ := members(kind[1:])
			return reflect.MapOf(typeOf(kv[0]), typeOf(kv[1]))
		}
		return reflect.SliceOf(typeOf(kind[1:]))
	case '(':
		all, _ := members(kind)
		var fields []reflect.StructField
		for i, k := range all {
			fields = append(fields, reflect.StructField{Name: string(rune('A' + i)), Type: typeOf(k)})
		}
		return reflect.StructOf(fields)
	}
	return map[byte]reflect.Type{
		'b': reflect.TypeFor[bool](), 'y': reflect.TypeFor[byte](), 'n': reflect.TypeFor[int16](),
		'q': reflect.TypeFor[uint16](), 'i': reflect.TypeFor[int32](), 'u': reflect.TypeFor[uint32](),
		'x': reflect.TypeFor[int64](), 't': reflect.TypeFor[uint64](), 'd': reflect.TypeFor[float64](),
		's': reflect.TypeFor[string](), 'o': reflect.TypeFor[dbus.ObjectPath](), 'g': reflect.TypeFor[dbus.Signature](),
		'v': reflect.TypeFor[dbus.Variant](),
	}[kind[0]]
}

func valueOf(v Value) reflect.Value {
	out := reflect.New(typeOf(v.kind)).Elem()
	switch v.kind[0] {
	case 'b':
		out.SetBool(v.n != 0)
	case 'y', 'q', 'u', 't':
		out.SetUint(v.n)
	case 'n', 'i', 'x':
		out.SetInt(int64(v.n))
	case 'd':
		out.SetFloat(math.Float64frombits(v.n))
	case 's', 'o':
		out.SetString(v.text)
	case 'g':
		out.Set(reflect.ValueOf(dbus.ParseSignatureMust(v.text)))
	case 'v':
		out.Set(reflect.ValueOf(dbus.MakeVariantWithSignature(valueOf(v.items[0]).Interface(),
			dbus.ParseSignatureMust(v.items[0].kind))))
	case '(':
		for i, item := range v.items {
			out.Field(i).Set(valueOf(item))
		}
	case 'a':
		if v.kind[1] == '{' {
			out.Set(reflect.MakeMap(out.Type()))
			for _, e := range v.items {
				out.SetMapIndex(valueOf(e.items[0]), valueOf(e.items[1]))
			}
			break
		}
		for _, item := range v.items {
			out = reflect.Append(out, valueOf(item))
		}
	}
	return out
}

// TestAsOthers: a message with any body has the same bytes as godbus gives it, each side reads the other's, and ours is
// read back as it was.
func TestAsOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &message{kind: methodCall, serial: 7, path: "/a/b", iface: "org.example.I", member: "Do",
			destination: "org.example"}
		theirs := &dbus.Message{Type: dbus.TypeMethodCall, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(m.path)), dbus.FieldInterface: dbus.MakeVariant(m.iface),
			dbus.FieldMember: dbus.MakeVariant(m.member), dbus.FieldDestination: dbus.MakeVariant(m.destination),
		}}
		sig := ""
		for range rapid.IntRange(0, 4).Draw(t, "body") {
			v := values(t, kinds(t, 3), 3)
			m.body, sig = append(m.body, v), sig+v.kind
			theirs.Body = append(theirs.Body, valueOf(v).Interface())
		}
		if sig != "" {
			theirs.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.ParseSignatureMust(sig))
		}
		ours := m.encode()
		back, err := decodeMessage(ours)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		if diff := cmp.Diff(m, back, same); diff != "" {
			t.Fatal(diff)
		}
		read, err := dbus.DecodeMessage(bytes.NewReader(ours))
		if err != nil {
			t.Fatalf("%v is not read by others: %v", m, err)
		}
		if len(read.Body) != len(m.body) {
			t.Fatalf("%v is read as %v", m, read)
		}
		var b bytes.Buffer
		if err := theirs.EncodeTo(&b, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
		body := encoder{}
		for _, v := range m.body {
			body.value(v)
		}
		if !bytes.HasSuffix(b.Bytes(), body.b) {
			t.Fatalf("the body of %v is\n%x, theirs\n%x", m, body.b, b.Bytes())
		}
		var big bytes.Buffer
		if err := theirs.EncodeTo(&big, binary.BigEndian); err != nil {
			t.Fatal(err)
		}
		for _, other := range [][]byte{b.Bytes(), big.Bytes()} {
			binary.LittleEndian.PutUint32(other[8:], 0x07000007) // the same in both orders
			got, err := decodeMessage(other)
			if err != nil {
				t.Fatal(err)
			}
			m.serial = 0x07000007
			if diff := cmp.Diff(m, got, same); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func seeds() [][]byte {
	signal := &message{kind: signalKind, serial: 3, path: managerPath, iface: managerName, member: "JobRemoved",
		sender: ":1.0", body: []Value{uint32v(4), object("/j/4"), text("a.scope"), text("done")}}
	start := &message{kind: methodCall, serial: 1, path: managerPath, iface: managerName, member: "StartTransientUnit",
		destination: systemdName, body: []Value{
			text("a.scope"), text("replace"), list([]Property{{"PIDs", numbers([]int{5})}, {"Slice", text("b.slice")},
				{"AllowedCPUs", octets([]byte{1, 2})}}), array("(sa(sv))")}}
	failed := &message{kind: errorReply, serial: 2, replyTo: 1, errorName: "org.freedesktop.systemd1.UnitExists",
		body: []Value{text("no")}}
	return [][]byte{signal.encode(), start.encode(), failed.encode()}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if (m == nil) == (err == nil) {
			t.Fatalf("%v and %v", m, err)
		}
		if err != nil {
			return
		}
		again, err := decodeMessage(m.encode())
		if err != nil {
			t.Fatalf("%v is not read back: %v", m, err)
		}
		if diff := cmp.Diff(m, again, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestCutMessages: no message that ends too early, and none with one byte changed, does more than fail.
func TestCutMessages(t *testing.T) {
	for _, whole := range seeds() {
		for n := range whole {
			if m, err := decodeMessage(whole[:n]); err == nil {
				t.Errorf("%d of %d bytes are read as %v", n, len(whole), m)
			}
			changed := bytes.Clone(whole)
			for _, c := range []byte{0, 0xff, 0x80} {
				changed[n] = c
				_, _ = decodeMessage(changed)
			}
		}
	}
}
