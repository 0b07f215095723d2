// Command logrus writes an error as JSON with sirupsen/logrus.
package main

import (
	"os"

	"github.com/sirupsen/logrus"
)

func main() {
	if len(os.Args) > 5 { // never: this program is linked, not run
		logrus.SetFormatter(&logrus.JSONFormatter{})
		logrus.WithField("a", 1).Error("x")
	}
}
