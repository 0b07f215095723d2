//go:build !amd64 && !arm64

package nsinit

import (
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

func compile(string, *container.Config) (*smallchild.Program, error) { return nil, errNoSmall }
