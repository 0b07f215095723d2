package state

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/jsonread"
)

// TestEncode compares encode and the tables with encoding/json, for states with random members set. A member that
// either does not know would be lost.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s State
		fillAny(t, reflect.ValueOf(&s).Elem(), "")
		data, err := encode(&s)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := json.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got, byTables State
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n%s", data, diff)
		}
		if !jsonread.Decode(data, &byTables, readState) {
			t.Fatalf("the tables leave it to encoding/json: %s", data)
		}
		if diff := cmp.Diff(want, byTables); diff != "" {
			t.Fatalf("%s\n%s", data, diff)
		}
	})
}

// fillAny fills a value, mostly with non-zero values.
func fillAny(t *rapid.T, v reflect.Value, name string) {
	switch v.Type() {
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rapid.SampledFrom([]string{"", `{"a":[1,{"b":"c"}]}`, `"x"`}).Draw(t, name)))
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, name), 5).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillAny(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if rapid.IntRange(0, 9).Draw(t, name) > 2 {
			v.Set(reflect.New(v.Type().Elem()))
			fillAny(t, v.Elem(), name)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillAny(t, v.Index(i), name)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, name) {
			one := reflect.New(v.Type().Elem()).Elem()
			fillAny(t, one, name)
			v.SetMapIndex(reflect.ValueOf(rapid.StringMatching(`[a-z./\n"]{0,4}`).Draw(t, name)), one)
		}
	case reflect.String:
		v.SetString(rapid.StringMatching(`[a-zäK"\\\n\t/<&]{0,6}`).Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	default:
		v.SetUint(rapid.Uint64().Draw(t, name) >> (64 - v.Type().Bits()))
	}
}

// TestDecodeMemory checks that the memory limit is found among all limits.
func TestDecodeMemory(t *testing.T) {
	limit := int64(5)
	for _, r := range []*cgroupfs.Resources{{}, {Memory: &limit}, {MemorySwap: &limit, Cpus: "0"},
		{MemorySwap: &limit, Memory: &limit, Devices: []cgroupfs.DeviceRule{{Allow: true, Access: "r"}}}} {
		got, err := DecodeMemory(EncodeResources(r))
		if err != nil || !cmp.Equal(got, r.Memory) {
			t.Errorf("%+v: %v %v", r, got, err)
		}
	}
	if _, err := DecodeMemory(json.RawMessage(`{"memory":"x"}`)); err == nil {
		t.Error("a damaged state is read")
	}
}
