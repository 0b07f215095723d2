// Package rdt puts containers into classes of cache and memory bandwidth, by the file system resctrl
// (Documentation/filesystems/resctrl.rst; config-linux.md, "IntelRdt").
//
// What is to be done is decided first, by Decide; an FS carries it out.
package rdt
