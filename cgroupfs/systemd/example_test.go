package systemd_test

import (
	"fmt"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/cgroupfs/systemd"
)

// What systemd is told of a container is decided before anything is touched.
func ExampleHost_Plan() {
	unit, err := systemd.Parse("apps-web.slice:demo:shop", "shop", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	path, err := unit.Path("")
	if err != nil {
		fmt.Println(err)
		return
	}
	memory, shares := int64(64<<20), uint64(2048)
	host := systemd.Host{Version: 252, V2: true}
	limits, err := host.Plan(&cgroupfs.Resources{Memory: &memory, CPUShares: &shares, Cpus: "0-3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(unit.Name, "in", path)
	for _, p := range limits {
		fmt.Println(p)
	}
	// Output:
	// demo-shop.scope in /apps.slice/apps-web.slice/demo-shop.scope
	// MemoryMax = uint64 67108864
	// CPUWeight = uint64 174
	// AllowedCPUs = [byte 0x0f]
}

func ExampleParse() {
	for _, path := range []string{"", "machine.slice:cri:web", "::batch-night.slice", "/a/b"} {
		unit, err := systemd.Parse(path, "web", false)
		fmt.Println(unit.Slice, unit.Name, err)
	}
	// Output:
	// system.slice handfast-web.scope <nil>
	// machine.slice cri-web.scope <nil>
	// batch.slice batch-night.slice <nil>
	//   expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/a/b": invalid argument
}
