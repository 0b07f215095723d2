package lifecycle

import (
	"encoding/json"

	"github.com/handfast/handfast/cgroupfs"
)

// The types below have the names and the order of what runc's command events prints, because container managers
// decode that.

type eventJSON struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"`
}

type statsJSON struct {
	CPU        cpuJSON                `json:"cpu"`
	CPUSet     cpusetJSON             `json:"cpuset"`
	Memory     memoryJSON             `json:"memory"`
	Pids       pidsJSON               `json:"pids"`
	Blkio      blkioJSON              `json:"blkio"`
	Hugetlb    map[string]hugetlbJSON `json:"hugetlb"`
	IntelRdt   struct{}               `json:"intel_rdt"` // always empty: its statistics are not read
	Interfaces []networkJSON          `json:"network_interfaces"`
}

type cpuJSON struct {
	Usage struct {
		Total        uint64   `json:"total,omitempty"`
		Percpu       []uint64 `json:"percpu,omitempty"`
		PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
		PercpuUser   []uint64 `json:"percpu_user,omitempty"`
		Kernel       uint64   `json:"kernel"`
		User         uint64   `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	PSI *psiJSON `json:"psi,omitempty"`
}

type cpusetJSON struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

type memoryJSON struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     memoryUsageJSON   `json:"usage"`
	Swap      memoryUsageJSON   `json:"swap"`
	Kernel    memoryUsageJSON   `json:"kernel"`
	KernelTCP memoryUsageJSON   `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *psiJSON          `json:"psi,omitempty"`
}

type memoryUsageJSON struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

type pidsJSON struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

type blkioJSON struct {
	ServiceBytes []blkioEntryJSON `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []blkioEntryJSON `json:"ioServicedRecursive,omitempty"`
	Queued       []blkioEntryJSON `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []blkioEntryJSON `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []blkioEntryJSON `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []blkioEntryJSON `json:"ioMergedRecursive,omitempty"`
	Time         []blkioEntryJSON `json:"ioTimeRecursive,omitempty"`
	Sectors      []blkioEntryJSON `json:"sectorsRecursive,omitempty"`
	PSI          *psiJSON         `json:"psi,omitempty"`
}

type blkioEntryJSON struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

type hugetlbJSON struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// networkJSON has runc's names, which are those of the Go fields.
type networkJSON cgroupfs.NetworkInterface

type psiJSON struct {
	Some stallJSON `json:"some"`
	Full stallJSON `json:"full"`
}

type stallJSON struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}

// pressureJSON is the data of an event that runc does not have: the trigger that was reached.
type pressureJSON struct {
	Resource string `json:"resource"`
	Full     bool   `json:"full"`
	Stall    int64  `json:"stall"`  // microseconds
	Window   int64  `json:"window"` // microseconds
}

// eventLine returns an event as one line of JSON.
func eventLine(kind, id string, data any) (string, error) {
	b, err := json.Marshal(eventJSON{kind, id, data})
	return string(b) + "\n", err
}

// groupEvent returns an event of Watch as one line of JSON.
func groupEvent(id string, e cgroupfs.Event) (string, error) {
	if e.Kind != cgroupfs.PressureHigh {
		return eventLine(e.Kind.String(), id, nil)
	}
	t := e.Trigger
	return eventLine(e.Kind.String(), id, pressureJSON{t.Resource, t.Full, t.Stall.Microseconds(),
		t.Window.Microseconds()})
}
