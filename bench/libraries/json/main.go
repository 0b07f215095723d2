// Command json links encoding/json, which handfast links in any case.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var v struct {
		A int
		B []string
		C map[string]any
	}
	if len(os.Args) > 5 { // never: this program is linked, not run
		fmt.Println(json.NewDecoder(os.Stdin).Decode(&v))
		b, _ := json.Marshal(v)
		os.Stdout.Write(b)
	}
}
