package oci

import (
	"encoding/json"
	"fmt"

	"github.com/handfast/handfast/syncproto/container"
)

// idMapped decides about the mappings of a mount's own, and the options idmap and ridmap (config.md, "Linux mount
// options").
func (c *conversion) idMapped(at string, in *Mount, m *container.Mount, option string) error {
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
	case !m.Bind:
		return wrong(at, "the owners of files are mapped on a bind mount alone; it is of type %q", m.Type)
	case len(uids) == 0 && len(gids) == 0:
		// config.md: without mappings of its own, those of the container.
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
	if nothing(raw) {
		return nil, nil
	}
	var in []IDMapping
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, wrong(at, "want a list of mappings with containerID, hostID and size: %v", err)
	}
	for i, m := range in {
		if m.Size == 0 || uint64(m.ContainerID)+uint64(m.Size) > 1<<32 || uint64(m.HostID)+uint64(m.Size) > 1<<32 {
			return nil, wrong(fmt.Sprintf("%s[%d]", at, i),
				"size %d from %d and %d; want at least 1, and ids below 4294967296",
				m.Size, m.ContainerID, m.HostID)
		}
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
