package container

import "github.com/handfast/handfast/syncproto"

// Narrow is the profile "init" as this configuration wants it: what it asks for is required, what it does not ask for is forbidden. Both sides call it on the same
// configuration, so neither can skip hooks or a console, or make them up.
func (c *Config) Narrow(p *syncproto.Profile) *syncproto.Profile {
	p = edit(p, ReqHooks, c.Hooks.Runtime)
	p = edit(p, ReqConsole, c.Process.Terminal)
	return p.Forbid(ReqSeccomp)
}

func edit(p *syncproto.Profile, request string, wanted bool) *syncproto.Profile {
	if wanted {
		return p.Require(request)
	}
	return p.Forbid(request)
}
