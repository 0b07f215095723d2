// Package nsinit is the child's side of a start: the process that spawn made, on its way to becoming the program that
// was asked for.
//
// Main is the first statement of a program that starts itself as its child:
//
//	func main() {
//		nsinit.Main() // returns at once unless this process is such a child
//		...
//	}
//
// The example of the package is a whole one.
//
// In the child it adopts the one inherited socket, receives the configuration, makes a plan of it, carries out one step
// after another, asks its parent for what it cannot do itself, says that it is ready, and executes the program, either
// at once or after the start gate has been opened. Whatever fails is told to the parent in one ERROR frame that names
// the step, the operation, the path and the errno; then the process ends with status 1.
//
// The first argument says which conversation it is the child of: "init", a container's first process, or "setns", one
// more of a container that runs, which is inside already when it begins.
//
// A plan is a pure function of the configuration and prints as text, one step a line. Only the files named exec_*.go
// carry steps out.
//
// # Paths
//
// What stands below a container's root belongs to its image, and may be made to lead anywhere. So every path there is
// resolved once, by openat2(2) below a descriptor of the root, and from then on only the descriptor is used; every
// write to /proc goes through a procfs of our own that nothing of the container has touched. The functions of package
// os that take a path are forbidden here.
package nsinit
