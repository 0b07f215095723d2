package main

import "testing"

func TestPidsGroup(t *testing.T) {
	for text, want := range map[string][2]string{
		"9:name=systemd:/a\n8:pids:/b/c\n0::/d\n": {"/sys/fs/cgroup/pids", "/b/c"},
		"0::/user.slice/x\n":                      {"/sys/fs/cgroup", "/user.slice/x"},
		"0::/\n1:cpu,pids:/x\n":                   {"/sys/fs/cgroup", "/"},
		"0::no\nrubbish\n":                        {},
		"":                                        {},
	} {
		if base, group := pidsGroup(text); base != want[0] || group != want[1] {
			t.Errorf("%q: %s %s, want %v", text, base, group, want)
		}
	}
}
