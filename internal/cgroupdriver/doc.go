// Package cgroupdriver gives containers their control groups in one of three ways, each a Driver: this program makes
// them in the cgroup file systems, systemd makes them as units, or there are none.
//
// What a driver will do is a Plan, a value that is decided without touching the host. A container that is being made
// goes through the methods of Driver in their order; Existing is the group of a container that some earlier command has
// made, found again by its Record. The package knows neither the container's configuration file nor where its state is
// stored: its caller translates the one into a Request and keeps Records in the other.
package cgroupdriver
