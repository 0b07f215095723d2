package syncproto_test

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
)

func TestValueEqual(t *testing.T) {
	list, field := syncproto.ListValue, func(n string, v syncproto.Value) syncproto.Field {
		return syncproto.Field{Name: n,
			Value: v}
	}
	one, two := syncproto.IntValue(1), syncproto.IntValue(2)
	distinct := []syncproto.Value{
		{}, syncproto.BoolValue(false), syncproto.BoolValue(true), syncproto.IntValue(0), one, syncproto.IntValue(-1),
		syncproto.UintValue(math.MaxUint64),
		syncproto.StringValue(""), syncproto.StringValue("a"), syncproto.BytesValue(nil), syncproto.BytesValue([]byte("a")),
		list(), list(one), list(one, two), list(two, one), list(list()), syncproto.MapValue(),
		syncproto.MapValue(field("a", one)), syncproto.MapValue(field("b", one)),
		syncproto.MapValue(field("a", two)), syncproto.MapValue(field("a", one), field("b", two)),
	}
	for i, a := range distinct {
		for j, b := range distinct {
			if got := a.Equal(b); got != (i == j) {
				t.Errorf("%v equals %v: %v", a, b, got)
			}
		}
	}
	if !syncproto.MapValue(field("a", one), field("b", two)).Equal(syncproto.MapValue(field("b", two), field("a", one))) {
		t.Error("the order of fields counts")
	}
	for _, n := range []int{2, 16, 17, 50_000} { // the last one takes for ever unless it is indexed
		forth, back := make([]syncproto.Field, n), make([]syncproto.Field, n)
		for i := range forth {
			forth[i] = field(strconv.Itoa(i), syncproto.IntValue(int64(i)))
			back[n-1-i] = forth[i]
		}
		a, b := syncproto.MapValue(forth...), syncproto.MapValue(back...)
		if !a.Equal(b) || !b.Equal(a) {
			t.Errorf("%d fields: the order counts", n)
		}
		back[0].Value = two
		back[n-1] = field("other", syncproto.IntValue(0))
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("%d fields: a name and a value do not count", n)
		}
	}
	if !syncproto.UintValue(5).Equal(syncproto.IntValue(5)) {
		t.Error("5 is not 5")
	}
}

func TestValueString(t *testing.T) {
	for want, v := range map[string]syncproto.Value{
		"null":                 {},
		"true":                 syncproto.BoolValue(true),
		"-9223372036854775808": syncproto.IntValue(math.MinInt64),
		"18446744073709551615": syncproto.UintValue(math.MaxUint64),
		`"a\n\u00a0"`:          syncproto.StringValue("a\n\u00a0"),
		`bytes("\x00\xff")`:    syncproto.BytesValue([]byte{0, 255}),
		`[1 "x"]`:              syncproto.ListValue(syncproto.IntValue(1), syncproto.StringValue("x")),
		`{a:null b:[]}`: syncproto.MapValue(syncproto.Field{Name: "a"},
			syncproto.Field{Name: "b", Value: syncproto.ListValue()}),
		"\"\ufffd\"": syncproto.StringValue("\xff"),
	} {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestValueAccessorsTellTheirKind(t *testing.T) {
	if _, ok := syncproto.UintValue(math.MaxInt64 + 1).Int(); ok {
		t.Error("2^63 is an int64")
	}
	if _, ok := syncproto.IntValue(-1).Uint(); ok {
		t.Error("-1 is a uint64")
	}
	if n, ok := syncproto.IntValue(math.MinInt64).Int(); !ok || n != math.MinInt64 {
		t.Error(n, ok)
	}
	if _, ok := syncproto.StringValue("1").Int(); ok {
		t.Error("text is a number")
	}
	if _, ok := syncproto.BytesValue(nil).Text(); ok {
		t.Error("bytes are text")
	}
	if _, ok := syncproto.StringValue("").RawBytes(); ok {
		t.Error("text is bytes")
	}
	if b := syncproto.BytesValue([]byte("x")); !b.Equal(b) || b.Kind() != syncproto.Bytes || b.IsNull() {
		t.Error(b)
	}
}

// A message can be nothing but values, so the size of one is the bound on what a peer can make this side hold.
func TestValueIsSmall(t *testing.T) {
	word := reflect.TypeFor[uintptr]().Size()
	if size, most := reflect.TypeFor[syncproto.Value]().Size(), 8+8+word; size > most {
		t.Errorf("a Value takes %d bytes, want at most %d", size, most)
	}
	if reflect.TypeFor[syncproto.Value]().Comparable() {
		t.Error("Values can be compared with ==, which does not look at text or lists")
	}
}

// The error for a mismatch formats no more of a value than it shows.
func TestQuotesOnlyTheStartOfWhatDoesNotFit(t *testing.T) {
	long := syncproto.StringValue(strings.Repeat("\U0001f91d", 1<<20))
	field := syncproto.Field{Name: strings.Repeat("n", 1<<20), Value: long}
	for _, v := range []syncproto.Value{long, syncproto.BytesValue(make([]byte, 1<<20)), syncproto.ListValue(long, long),
		syncproto.MapValue(field), syncproto.ListValue(make([]syncproto.Value, 1<<16)...)} {
		var n int
		var err error
		if allocs := testing.AllocsPerRun(1, func() { err = syncproto.FromValue(v, &n, true) }); err == nil || allocs > 16 ||
			len(err.Error()) > 200 {
			t.Errorf("%v: %d bytes, %v allocations", err, len(err.Error()), allocs)
		}
	}
}

// A list that is changed after a Value was made of it can hold itself. Nothing follows it for ever: a stack that
// overflows ends the process, and no caller can recover from that.
func TestAValueThatHoldsItself(t *testing.T) {
	circle := func(n int) syncproto.Value {
		list := make([]syncproto.Value, n)
		v := syncproto.ListValue(list...)
		for i := range list {
			list[i] = v
		}
		return v
	}
	fields := make([]syncproto.Field, 1)
	inMap := syncproto.MapValue(fields...)
	fields[0].Value = inMap
	for _, v := range []syncproto.Value{circle(1), circle(2), inMap} {
		if s := v.String(); !strings.Contains(s, "...") {
			t.Errorf("%d bytes of text", len(s))
		}
		if !v.Equal(v) {
			t.Error("it is not equal to itself")
		}
	}
	if circle(1).Equal(circle(1)) || inMap.Equal(syncproto.MapValue(syncproto.Field{})) {
		t.Error("two values that end nowhere are equal")
	}
}
