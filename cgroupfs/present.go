package cgroupfs

import "strings"

// keyed reports whether a write changes only the line of the file that begins with the same word.
func keyed(w Write) bool {
	switch w.File {
	case "rdma.max", "misc.max", "dmem.max", "dmem.low", "dmem.min", "net_prio.ifpriomap":
		return true
	}
	name, _, found := strings.Cut(w.Value, " ")
	return found && strings.Contains(name, ":")
}

// place identifies what a write overwrites: a file, or a line of one.
func (w Write) place() [3]string {
	if !keyed(w) {
		return [3]string{w.Controller, w.File}
	}
	key, _, _ := strings.Cut(w.Value, " ")
	return [3]string{w.Controller, w.File, key}
}

// present returns what must be written to undo w, from the present content of its file; ok is false if that is not
// known.
func present(w Write, text string) (string, bool) {
	if w.File == "memory.oom_control" {
		return field(text, "oom_kill_disable")
	}
	text = strings.TrimSuffix(text, "\n")
	if keyed(w) {
		key, _, _ := strings.Cut(w.Value, " ")
		if value, ok := field(text, key); ok {
			return key + " " + value, true
		}
		fresh, ok := hiddenDefaults(w.File)
		return key + " " + fresh, ok
	}
	if value, ok := field(text, "default"); ok { // a default weight, followed by those of single devices
		return "default " + value, true
	}
	if strings.Contains(text, "\n") {
		return "", false
	}
	if text == "" { // of cpuset; to write nothing would leave the new value
		return "\n", true
	}
	return text, true
}

// field returns the rest of the line that begins with a word.
func field(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// hiddenDefaults returns the value to write for a line that the file does not show because it has only default values.
func hiddenDefaults(file string) (string, bool) {
	switch file {
	case "io.max":
		return "rbps=max wbps=max riops=max wiops=max", true
	case "io.weight", "io.bfq.weight", "blkio.bfq.weight_device", "blkio.weight_device", "blkio.leaf_weight_device":
		return "default", true
	case "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device",
		"blkio.throttle.write_iops_device",
		"net_prio.ifpriomap", "dmem.low", "dmem.min":
		return "0", true
	case "rdma.max":
		return "hca_handle=max hca_object=max", true
	case "misc.max", "dmem.max":
		return "max", true
	}
	return "", false
}
