// Command msgpack encodes and decodes with vmihailenco/msgpack.
package main

import (
	"fmt"
	"os"

	"github.com/vmihailenco/msgpack/v5"
)

func main() {
	var v struct {
		A int
		B []string
		C map[string]any
	}
	if len(os.Args) > 5 { // never: this program is linked, not run
		fmt.Println(msgpack.NewDecoder(os.Stdin).Decode(&v))
		b, _ := msgpack.Marshal(v)
		os.Stdout.Write(b)
	}
}
