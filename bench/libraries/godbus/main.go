// Command godbus calls a method on the system bus with godbus/dbus.
package main

import (
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		c, err := dbus.SystemBusPrivate()
		fmt.Println(err, c.Auth(nil), c.Hello())
		o := c.Object("org.freedesktop.systemd1", "/x")
		fmt.Println(o.Call("a.b", 0, "x").Store())
	}
}
