package oci_test

import (
	"fmt"

	"github.com/handfast/handfast/internal/oci"
)

// An impossible value is an error that names the property, the value and what is allowed.
func ExamplePlan() {
	spec, err := oci.Decode([]byte(`{
		"ociVersion": "1.2.0",
		"root": {"path": "rootfs"},
		"process": {"args": ["true"], "cwd": "/", "scheduler": {"policy": "SCHED_BATCH"}},
		"linux": {"namespaces": [{"type": "mount"}], "personality": {"domain": "LINUX64"}}
	}`), "config.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = oci.Plan(spec, oci.Options{Bundle: "/bundle", ID: "c1"})
	fmt.Println(err)
	// Output: linux.personality.domain: invalid personality domain "LINUX64"; want LINUX or LINUX32
}

func ExampleDecode() {
	_, err := oci.Decode([]byte("{\n  \"process\": {\"args\": 5}\n}"), "config.json")
	fmt.Println(err)
	// Output: config.json:2:23: process.args: want a list of strings, got number 5
}
