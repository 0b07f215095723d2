// Package nsinit is the child's side of a start: it runs in the process that package spawn made, and turns that
// process into the requested program.
//
// Main is the first statement of a program that starts itself as its child:
//
//	func main() {
//		nsinit.Main() // returns at once unless this process is such a child
//		...
//	}
//
// The example of this package is a complete program.
//
// In the child, Main adopts the one inherited socket, receives the configuration, makes a plan of it and carries
// out the steps one after another. It requests from its parent what it cannot do itself, reports that it is ready,
// and executes the program, either at once or after the start gate has been opened. If anything fails, the parent
// gets one ERROR frame that names the step, the operation, the path and the errno; then the process exits with
// status 1.
//
// The first argument names the conversation: "init" for the first process of a container, or "setns" for a further
// process of a running container, which is inside the container from its beginning.
//
// A plan is a pure function of the configuration and prints as text, one step per line. Only the files named
// exec_*.go carry out steps.
//
// # Paths
//
// Everything below a container's root belongs to its image, whose links may lead anywhere. So every path there is
// resolved once, by openat2(2) below a descriptor of the root, and from then on only the descriptor is used. Every
// write to /proc goes through a procfs of our own that nothing in the container has touched. The functions of
// package os that take a path are forbidden in this package.
package nsinit
