// Package oci turns a bundle's config.json (runtime-spec 1.3, config.md and config-linux.md) into the values that the
// rest works with: a spawn.Config for the child, a cgroupfs.Resources for its group, and the hooks that stay with the
// parent.
//
// [Decode] reads bytes, [Plan] decides. Neither touches anything: what they need to know of the host comes in as
// [Host]. [LoadBundle] and [CheckRootfs] are the only effects and live in bundle.go.
//
// Three rules hold for every property. What the specification does not know is ignored, as it says it must be. What
// is wrong is an error that names the property, its value and what is allowed. What the specification knows is carried
// out; what cannot be, on this host say, is an error, so that no container runs with less protection than was asked
// for. A value that asks for nothing (null, an empty string, list or object, a zero) is no request.
package oci
