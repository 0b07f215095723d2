// Package fuzz tests the public packages from outside, as a peer would: fuzz targets and properties. It holds tests
// alone; the walk through every conversation that two machines can have is its package model.
package fuzz
