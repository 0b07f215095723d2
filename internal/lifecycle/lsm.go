package lifecycle

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
)

// labelFacts asks whether the security modules that the process wants a label of are in force.
func labelFacts(host *oci.Host, p *oci.Process) {
	if p == nil {
		return
	}
	if p.ApparmorProfile != "" {
		data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
		host.AppArmor = err == nil && bytes.HasPrefix(data, []byte("Y"))
	}
	if p.SelinuxLabel != "" {
		var st unix.Statfs_t
		host.SELinux = unix.Statfs("/sys/fs/selinux", &st) == nil && st.Type == unix.SELINUX_MAGIC
	}
}
