package main

import (
	"runtime"
	"slices"
)

// An arch is what differs between the architectures of a guest.
type arch struct {
	name     string   // Go's and Debian's name for it
	emulator string   // the program of qemu
	machine  []string // the emulator's options for the machine
	console  string   // the device of the kernel's messages: the machine's first serial line
	jobs     string   // the device of what the guest itself says
	line     []string // the emulator's options for that device, whose other end is the chardev jobs
	further  []string // packages besides those that every guest has
}

var amd64 = &arch{
	name: "amd64", emulator: "qemu-system-x86_64",
	machine: []string{"-machine", "q35", "-cpu", "max,la57=off"},
	console: "ttyS0", jobs: "ttyS1", line: []string{"-serial", "chardev:jobs"},
}

// amd64Managers is a guest with container managers.
var amd64Managers = func() *arch {
	a := *amd64
	a.further = []string{"podman", "conmon", "runc", "containerd", "bsdutils", "catatonit"}
	return &a
}()

// The machine virt has one serial line. The pointer authentication of the processor's own kind would cost an emulator
// half of its time.
var arm64 = &arch{
	name: "arm64", emulator: "qemu-system-aarch64",
	machine: []string{"-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"},
	console: "ttyAMA0", jobs: "ttyS0", line: []string{"-device", "pci-serial,chardev=jobs"},
}

// native reports whether this host executes the guest's programs.
func (a *arch) native() bool { return a.name == runtime.GOARCH }

// kernelPackage is a package that depends on the Debian suite's current kernel for virtual machines.
func (a *arch) kernelPackage() string { return "linux-image-cloud-" + a.name }

// packages are the packages of the guest's own tree.
func (a *arch) packages() []string {
	if a.native() {
		return slices.Concat(systemPackages, a.further)
	}
	return unpackedPackages
}
