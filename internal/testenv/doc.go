// Package testenv holds what the tests of every package share: root filesystems made on the spot, bundles, the built
// binary, and a check that a package's tests leave nothing behind.
//
// A package's tests begin with
//
//	func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }
//
// and a package whose test binary is re-executed as a container's child passes its entry point as Options.First.
//
// Three rules hold for every helper. What a machine cannot do (no root) skips the test and says why; what the machine
// could do and merely lacks (a missing Debian package) fails it and names the package, so that a suite never passes by
// skipping. Nothing is written outside the temporary directory of this test process, except for the cache of Debian
// trees. A directory that a container sees is world-traversable, because a container may run as another user.
package testenv
