package oci

import (
	"encoding/json"

	"github.com/handfast/handfast/syncproto/container"
)

// idMapped converts a mount's own id mappings and the options idmap and ridmap (config.md, "Linux mount options").
func (c *planner) idMapped(at string, in *Mount, m *container.Mount, option string) error {
	uids, err := idRanges(at+".uidMappings", in.UIDMappings)
	if err != nil {
		return err
	}
	gids, err := idRanges(at+".gidMappings", in.GIDMappings)
	switch {
	case err != nil:
		return err
	case len(uids)+len(gids) == 0 && option == "":
		return nil
	case !m.Bind && m.Type != "tmpfs" && virtual(m.Type):
		return wrong(at, "a file system of type %s takes no mappings of its owners", m.Type)
	case len(uids) == 0 && len(gids) == 0 && c.has(container.NSUser):
		// config.md: a mount without its own mappings uses the container's, which are those of its user namespace.
	case len(uids) == 0 && len(gids) == 0:
		// The container's mappings apply to the mount even without a user namespace.
		uids, gids = ranges(c.linux.UIDMappings), ranges(c.linux.GIDMappings)
		if len(uids) == 0 || len(gids) == 0 {
			return wrong(at+".options", "%s needs uidMappings and gidMappings, of the mount or of linux", option)
		}
	case len(uids) == 0:
		return wrong(at+".uidMappings", "missing; want both, or neither, of uidMappings and gidMappings")
	case len(gids) == 0:
		return wrong(at+".gidMappings", "missing; want both, or neither, of uidMappings and gidMappings")
	}
	m.IDs = &container.MountIDs{UIDs: uids, GIDs: gids, Recursive: option == "ridmap"}
	return nil
}

func idRanges(at string, raw json.RawMessage) ([]container.IDRange, error) {
	if requestsNothing(raw) {
		return nil, nil
	}
	var in []IDMapping
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, wrong(at, "want a list of mappings with containerID, hostID and size: %v", err)
	}
	if err := checkRanges(at, in); err != nil {
		return nil, err
	}
	return ranges(in), nil
}

func ranges(in []IDMapping) []container.IDRange {
	var out []container.IDRange
	for _, m := range in {
		out = append(out, container.IDRange{Container: m.ContainerID, Host: m.HostID, Size: m.Size})
	}
	return out
}
