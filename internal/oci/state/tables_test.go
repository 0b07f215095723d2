package state

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/jsonread"
	"github.com/handfast/handfast/internal/testenv/anyvalue"
)

// TestEncode compares encode and the tables with encoding/json, for states with random members set. A member that
// either does not know would be lost.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s State
		anyvalue.Fill(t, &s, ``, `{"a":[1,{"b":"c"}]}`, `"x"`)
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
