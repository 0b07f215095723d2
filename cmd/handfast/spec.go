package main

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/oci"
)

// spec writes a config.json to start from. It never overwrites an existing file.
func (in *invocation) spec() (int, error) {
	layout, err := cgroupfs.Host()
	if err != nil {
		return failed, err
	}
	unified := layout.Mode() == cgroupfs.V2
	s := oci.DefaultSpec(unified)
	if in.rootlessSpec {
		s = oci.RootlessSpec(uint32(os.Geteuid()), uint32(os.Getegid()), unified)
	}
	data, err := s.Marshal()
	if err != nil {
		return failed, err
	}
	path := cmp.Or(in.config, "config.json")
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.bundle, path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return failed, err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return failed, err
	}
	return 0, nil
}
