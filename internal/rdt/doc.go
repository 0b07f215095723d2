// Package rdt puts containers into classes of cache and memory bandwidth, through the resctrl file system
// (Documentation/filesystems/resctrl.rst; config-linux.md, "IntelRdt").
//
// Plan decides what to do, and an FS carries it out.
package rdt
