// Command seccomp compiles and loads a filter with elastic/go-seccomp-bpf.
package main

import (
	"fmt"
	"os"

	"github.com/elastic/go-seccomp-bpf"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		p := seccomp.Policy{}
		fmt.Println(p.Assemble())
		fmt.Println(seccomp.LoadFilter(seccomp.Filter{Policy: p}))
	}
}
