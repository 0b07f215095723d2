package cgroupdriver

import (
	"context"

	"github.com/handfast/handfast/cgroupfs"
)

// none is the driver that makes no groups.
type none struct{}

func (*none) UnitBase() (string, bool) { return "", false }

func (*none) Plan(r Request) (*Plan, error) { return planNone(r) }

func (*none) Intend() (Record, error) { return Record{}, nil }

func (*none) Make() (Place, error) { return Stays, nil }

func (*none) Join(context.Context, int) error { return nil }

func (*none) Limit() error { return nil }

func (*none) Finish(context.Context) error { return nil }

func (*none) Group() *cgroupfs.Group { return nil }

func (*none) Undo() error { return nil }

func (*none) Close() {}
