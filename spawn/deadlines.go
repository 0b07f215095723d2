package spawn

import (
	"time"

	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// withHooks returns the deadlines for a start. The child sends nothing while it runs hooks itself, so their timeouts
// are added to Idle, and a hook without a timeout removes that limit.
func (d Deadlines) withHooks(h container.Hooks) transport.Deadlines {
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
	return d.toTransport()
}

func (d Deadlines) toTransport() transport.Deadlines {
	return transport.Deadlines{Hello: d.Hello, Config: d.Config, Idle: d.Idle, Exec: d.Exec, Grace: d.Kill}
}
