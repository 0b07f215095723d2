// Package fuzz tests the public packages from outside, as a peer would, with fuzz targets and properties. It contains
// only tests; its package model walks through every conversation that two sides can have.
package fuzz
