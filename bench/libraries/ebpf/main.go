// Command ebpf loads and attaches a device program with cilium/ebpf.
package main

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.CGroupDevice, Instructions: asm.Instructions{asm.Return()},
			License: "x"})
		fmt.Println(err)
		fmt.Println(link.AttachCgroup(link.CgroupOptions{Program: p}))
	}
}
