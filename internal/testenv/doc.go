// Package testenv has what the tests of all packages share: generated root filesystems, bundles, the built binary, and
// a check that a package's tests leave nothing behind.
//
// A package's tests begin with
//
//	func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }
//
// and a package whose test binary is re-executed as a container's child passes its entry point as Options.First.
//
// Three rules apply to every helper. If the machine cannot run a test (no root), the helper skips it and says why. If
// the machine only lacks something (a Debian package), the helper fails the test and names the package, so that a suite
// never passes by skipping. Nothing is written outside the temporary directory of this test process, except for the
// cache of Debian trees. All users can search a directory that a container sees, because a container may run as another
// user.
package testenv
