package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	goruntime "runtime"
	"strings"
)

const (
	imageName   = "docker.io/library/exercise:latest"
	archivePath = "/tmp/image.tar"

	// An image whose program does nothing for long, for the first container of a pod.
	pauseName = "docker.io/library/pause:latest"
	pausePath = "/tmp/pause.tar"
)

// writeImages writes two archives, each with an image of busybox. They are both of the format that "docker load" reads
// and an OCI layout, so every manager takes them.
func writeImages() error {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	busybox, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	applets, err := exec.Command(program, "--list").Output()
	if err != nil {
		return fmt.Errorf("busybox --list: %w", err)
	}
	layer, err := archive(rootfs(busybox, strings.Fields(string(applets))))
	if err != nil {
		return err
	}
	for _, i := range []struct {
		name, file string
		program    []string
	}{{imageName, archivePath, []string{"/bin/sh"}}, {pauseName, pausePath, []string{"/bin/sleep", "100000"}}} {
		archive, err := image(i.name, i.program, layer)
		if err != nil {
			return err
		}
		if err := os.WriteFile(i.file, archive, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// An entry is one file of a tar archive.
type entry struct {
	name, link string
	mode       int64
	data       []byte
	dir        bool
	uid        int
}

// image returns the archive of an image with one layer, which runs the program. Its bytes depend on the arguments
// alone.
func image(name string, program []string, layer []byte) ([]byte, error) {
	config := marshal(map[string]any{
		"architecture": goruntime.GOARCH, "os": "linux", "created": "2000-01-01T00:00:00Z",
		"config": map[string]any{
			"Env": []string{"PATH=/bin:/sbin", "FROM_IMAGE=yes"}, "Cmd": program,
			"Labels": map[string]string{"of": "image"},
		},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
		"history": []any{map[string]any{"created": "2000-01-01T00:00:00Z", "created_by": "exercise"}},
	})
	manifest := marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": descriptor("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	top := descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
	top["annotations"] = map[string]string{
		"org.opencontainers.image.ref.name": "latest", "io.containerd.image.name": name,
	}
	return archive([]entry{
		{name: "oci-layout", data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", data: marshal(map[string]any{"schemaVersion": 2, "manifests": []any{top}})},
		{name: "manifest.json", data: marshal([]any{map[string]any{
			"Config": blob(config), "RepoTags": []string{name}, "Layers": []string{blob(layer)},
		}})},
		{name: blob(config), data: config}, {name: blob(manifest), data: manifest}, {name: blob(layer), data: layer},
	})
}

// rootfs returns the files of the image.
func rootfs(busybox []byte, applets []string) []entry {
	all := []entry{
		{name: "bin/", dir: true, mode: 0o755}, {name: "etc/", dir: true, mode: 0o755},
		{name: "root/", dir: true, mode: 0o700}, {name: "tmp/", dir: true, mode: 0o1777},
		{name: "proc/", dir: true, mode: 0o755}, {name: "run/", dir: true, mode: 0o755},
		{name: "sys/", dir: true, mode: 0o755}, {name: "dev/", dir: true, mode: 0o755},
		{name: "home/", dir: true, mode: 0o755}, {name: "home/web/", dir: true, mode: 0o755, uid: 1000},
		{name: "etc/passwd", data: []byte("root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n")},
		{name: "etc/group", data: []byte("root:x:0:\ntty:x:5:\nweb:x:1000:\naudio:x:29:web\n")},
		{name: "etc/not-executable", data: []byte("#!/bin/sh\n")},
		{name: "etc/no-interpreter", data: []byte("#!/bin/none\n"), mode: 0o755},
		{name: "bin/busybox", data: busybox, mode: 0o755},
	}
	for _, a := range applets {
		if a != "busybox" {
			all = append(all, entry{name: "bin/" + a, link: "busybox"})
		}
	}
	return all
}

func archive(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), Typeflag: tar.TypeReg, Uid: e.uid, Gid: e.uid}
		switch {
		case e.dir:
			h.Typeflag = tar.TypeDir
		case e.link != "":
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, e.link, 0o777
		case e.mode == 0:
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("image: %s: %w", e.name, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("image: %s: %w", e.name, err)
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func blob(data []byte) string {
	return path.Join("blobs/sha256", strings.TrimPrefix(digest(data), "sha256:"))
}

func descriptor(mediaType string, data []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest(data), "size": len(data)}
}

// marshal is for values that can be JSON.
func marshal(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}
