// Command notify sends its arguments to NOTIFY_SOCKET, as sd_notify(3) does.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

func main() {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(os.Args[1:], "\n")))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
