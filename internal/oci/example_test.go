package oci_test

import (
	"fmt"

	"github.com/handfast/handfast/internal/oci"
)

// A configuration that asks for what this version does not carry out is refused by name.
func ExampleConvert() {
	spec, err := oci.Decode([]byte(`{
		"ociVersion": "1.2.0",
		"root": {"path": "rootfs"},
		"process": {"args": ["true"], "cwd": "/", "scheduler": {"policy": "SCHED_BATCH"}},
		"linux": {"namespaces": [{"type": "mount"}], "personality": {"domain": "LINUX32"}}
	}`), "config.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = oci.Convert(spec, oci.Options{Bundle: "/bundle", ID: "c1"})
	fmt.Println(err)
	// Output: not carried out by this version: process.scheduler, linux.personality
}

func ExampleDecode() {
	_, err := oci.Decode([]byte("{\n  \"process\": {\"args\": 5}\n}"), "config.json")
	fmt.Println(err)
	// Output: config.json:2:23: process.args: want a list of strings, got number
}
