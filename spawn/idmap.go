package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// writeMaps runs newuidmap(1) and newgidmap(1) to write the id mappings of the user namespace that the process pid has
// made: they may write more than the caller, as far as subuid(5) and subgid(5) allow it.
func writeMaps(ctx context.Context, pid int, cfg *Config) error {
	for _, h := range [...]struct {
		program, file string
		maps          []IDMap
	}{{"newuidmap", "/etc/subuid", cfg.UIDMappings}, {"newgidmap", "/etc/subgid", cfg.GIDMappings}} {
		if err := helper(ctx, h.program, h.file, pid, h.maps); err != nil {
			return err
		}
	}
	return nil
}

// writeMapFiles writes the id mappings of the user namespace that the process pid has made, user_namespaces(7).
func writeMapFiles(pid int, p *plan) error {
	proc := "/proc/" + strconv.Itoa(pid)
	write := func(file, text string) error {
		// One write(2): the kernel accepts a mapping only as a whole, and only once.
		if err := os.WriteFile(proc+"/"+file, []byte(text), 0); err != nil {
			return fmt.Errorf("%s of the new user namespace, %q: %w", file, text, err)
		}
		return nil
	}
	if !p.SetGroups {
		// The file exists since Linux 3.19.
		if err := write("setgroups", "deny"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := write("uid_map", mapText(p.UIDMap)); err != nil {
		return err
	}
	return write("gid_map", mapText(p.GIDMap))
}

func mapText(maps []syscall.SysProcIDMap) string {
	var b strings.Builder
	for _, m := range maps {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	return b.String()
}

func helper(ctx context.Context, program, file string, pid int, maps []IDMap) error {
	path, err := exec.LookPath(program)
	if err != nil {
		// A caller may have no PATH at all.
		if path, err = exec.LookPath("/usr/bin/" + program); err != nil {
			return fmt.Errorf("%s, which is needed to map ids other than the caller's own, is not installed (it is in Debian's "+
				"package uidmap): %w", program, err)
		}
	}
	cmd := exec.CommandContext(ctx, path, helperArgs(pid, maps)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", program, context.Cause(ctx))
	}
	said := strings.Join(strings.Fields(strings.ToValidUTF8(string(out), "?")), " ")
	var exit *exec.ExitError
	if said != "" && errors.As(err, &exit) {
		return fmt.Errorf("%s %s: %w: %s (are these ids in %s?)", program, strings.Join(helperArgs(pid, maps), " "), err,
			said, file)
	}
	return fmt.Errorf("%s %s: %w", program, strings.Join(helperArgs(pid, maps), " "), err)
}

// helperArgs returns the arguments of newuidmap(1): the process, then three numbers for each line.
func helperArgs(pid int, maps []IDMap) []string {
	args := []string{strconv.Itoa(pid)}
	for _, m := range maps {
		for _, n := range [...]uint32{m.ContainerID, m.HostID, m.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	return args
}
