// Package oci converts a bundle's config.json (runtime-spec 1.3, config.md and config-linux.md) to the values that
// the rest of the runtime uses: a spawn.Config for the child, a cgroupfs.Resources for its group, and the hooks
// that the parent runs.
//
// [Decode] reads bytes, and [Plan] decides. Both are pure: what they need to know about the host is passed in as
// [Host]. Only [CheckRootfs] and the functions that load files, such as [LoadBundle], access the file system.
//
// Three rules apply to every property. A property that the specification does not know is ignored, as the
// specification requires. A wrong value is an error that names the property, the value and what is allowed. A
// property that the specification knows is carried out; if that is impossible, for example on this host, it is an
// error, so that no container runs with less protection than was requested. An empty value (null, an empty string,
// list or object, or zero) is not a request.
package oci
