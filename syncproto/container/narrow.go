package container

import "github.com/handfast/handfast/syncproto"

// Narrow is the profile "init" as this configuration wants it: what it asks for is required, what it does not ask for is forbidden. Both sides call it on the same
// configuration, so neither can skip hooks or a console, or make them up.
func (c *Config) Narrow(p *syncproto.Profile) *syncproto.Profile {
	p = edit(p, ReqHooks, c.Hooks.Runtime)
	p = edit(p, ReqConsole, c.Process.Terminal)
	// Behind a gate the filter is loaded in the conversation with who opens it.
	return edit(p, ReqSeccomp, c.Process.Listens() && c.GateFD == 0)
}

func edit(p *syncproto.Profile, request string, wanted bool) *syncproto.Profile {
	if wanted {
		return p.Require(request)
	}
	return p.Forbid(request)
}
