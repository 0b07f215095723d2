// Package fuzz tests the public packages from outside, as a peer would: fuzz targets, properties, and a walk through every conversation that two machines can have.
// It holds tests alone.
package fuzz
