// Package cgroupdriver gives containers their control groups in one of three ways, each of which is a Driver: this
// program makes them in the cgroup file systems, systemd makes them as units, or there are none.
//
// A Plan says what a driver will do. It is a value that is decided without touching the host. For a container that
// is being made, the methods of Driver are called in their order. Existing is the group of a container that an
// earlier command has made, found again by its Record. The package knows neither the container's configuration file
// nor where its state is stored: the caller translates the one into a Request and keeps Records in the other.
package cgroupdriver
