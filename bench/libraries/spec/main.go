// Command spec decodes config.json with the structs of runtime-spec and encoding/json.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		var s specs.Spec
		fmt.Println(json.NewDecoder(os.Stdin).Decode(&s))
	}
}
