package spawn

import (
	"time"

	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// transport is the deadlines for a start. Hooks that the child runs itself are time in which it rightly says nothing:
// theirs is added to Idle, and one without a timeout of its own takes the limit away.
func (d Deadlines) transport(h container.Hooks) transport.Deadlines {
	if d.Idle == 0 {
		d.Idle = 30 * time.Second
	}
	hooks := h.CreateContainer
	if len(h.StartContainer) > 0 {
		hooks = append(append([]container.Hook(nil), hooks...), h.StartContainer...)
	}
	for _, hook := range hooks {
		if hook.Timeout <= 0 {
			d.Idle = -1
		}
		if d.Idle > 0 {
			d.Idle += time.Duration(hook.Timeout) * time.Second
		}
	}
	return d.plain()
}

func (d Deadlines) plain() transport.Deadlines {
	return transport.Deadlines{Hello: d.Hello, Config: d.Config, Idle: d.Idle, Exec: d.Exec, Grace: d.Kill}
}
