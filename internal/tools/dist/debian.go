package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	homepage = "https://github.com/handfast/handfast"
	// maintainer is who a Debian package must name. Nobody reads mail at this address: SECURITY.md and the homepage say
	// how to report something.
	maintainer = "handfast maintainers <handfast@users.noreply.github.com>"
	docs       = "usr/share/doc/handfast"
	manual     = "usr/share/man/man8"
)

// release is what all packages of one release have in common.
type release struct {
	version string // as the program says it, such as 0.1.0, 0.1.0-dev or 0.1.0-3-gabcdef0
	commit  string
	made    time.Time // of the commit
	// What the programs make of themselves and what the source has, by file name.
	pages, completions, documents map[string][]byte
	changelog                     []byte   // CHANGELOG.md
	licenses                      []notice // of everything in the program that is not handfast's own
}

// notice is the text of the license of something that is linked into the program.
type notice struct{ name, text string }

// file is one file of a package, by its path without the leading slash.
type file struct {
	mode uint32
	data []byte
}

// described is a version as "git describe" makes it for a commit after a tag.
var described = regexp.MustCompile(`^(.*)-(\d+)-g([0-9a-f]+)$`)

// debianVersion returns the package's version. It sorts as releases follow each other: 0.2.0~rc.1, 0.2.0, and what
// came after it. Builds without a tag, which all have the same version, are told apart by their commit's time.
func debianVersion(r *release) string {
	v, after := r.version, ""
	if m := described.FindStringSubmatch(v); m != nil {
		v, after = m[1], "+"+m[2]+".g"+m[3]
	}
	v = strings.Replace(v, "-", "~", 1)
	if strings.HasSuffix(v, "~dev") {
		v += "." + r.made.UTC().Format("20060102150405") + "." + r.commit[:min(7, len(r.commit))]
	}
	return strings.ReplaceAll(v, "-", ".") + after + "-1"
}

// debianName is the package's file name.
func debianName(r *release, t target) string {
	return "handfast_" + debianVersion(r) + "_" + t.debian + ".deb"
}

// debianFiles returns the files of a package, those of its control archive below DEBIAN included.
func debianFiles(r *release, t target, program []byte) map[string]file {
	files := map[string]file{
		"usr/bin/handfast": {0o755, program},
		"usr/share/bash-completion/completions/handfast":    {0o644, r.completions["bash"]},
		"usr/share/zsh/vendor-completions/_handfast":        {0o644, r.completions["zsh"]},
		"usr/share/fish/vendor_completions.d/handfast.fish": {0o644, r.completions["fish"]},
		"usr/share/lintian/overrides/handfast":              {0o644, []byte(overrides)},
		path.Join(docs, "copyright"):                        {0o644, copyright(r.licenses)},
		path.Join(docs, "changelog.gz"):                     {0o644, compressed(r.changelog)},
		path.Join(docs, "changelog.Debian.gz"):              {0o644, compressed(debianChangelog(r))},
	}
	for name, data := range r.pages {
		files[path.Join(manual, name+".gz")] = file{0o644, compressed(data)}
	}
	for name, data := range r.documents {
		files[path.Join(docs, name)] = file{0o644, data}
	}
	var sums bytes.Buffer
	size := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(files[name].data), name)
		size += (len(files[name].data) + 1023) / 1024
	}
	files["DEBIAN/md5sums"] = file{0o644, sums.Bytes()}
	files["DEBIAN/control"] = file{0o644, control(r, t, size)}
	return files
}

// control returns the package's description; size is in KiB.
func control(r *release, t target, size int) []byte {
	return fmt.Appendf(nil, `Package: handfast
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Suggests: uidmap
Section: admin
Priority: optional
Homepage: %s
Description: container runtime with the command line of runc
 handfast creates, starts and ends containers from a bundle, a directory with a
 config.json and a root file system, as the runtime specification 1.3 of the
 Open Container Initiative says. Container managers use it in place of runc.
 .
 It is one static program in Go, and serves control groups of version 1 and 2,
 systemd, seccomp, AppArmor, user namespaces, and containers of plain users.
`, debianVersion(r), t.debian, maintainer, size, homepage)
}

// debianChangelog returns the changelog of the packaging, which has one entry: the package is made by the release.
func debianChangelog(r *release) []byte {
	return fmt.Appendf(nil, `handfast (%s) unstable; urgency=medium

  * handfast %s, from commit
    %s.
    What changed for its users is in changelog.gz.

 -- %s  %s
`, debianVersion(r), r.version, r.commit, maintainer, r.made.UTC().Format(time.RFC1123Z))
}

// copyright returns the license of the program and of all that is linked into it, word for word: their licenses want
// that of binaries.
func copyright(others []notice) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `handfast was made by those whom the history of its source names.
Source: %s

It is licensed under the Apache License, Version 2.0; you may not use it except
in compliance with the License. Unless required by applicable law or agreed to
in writing, it is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR
CONDITIONS OF ANY KIND, either express or implied.

On Debian systems, the complete text of the Apache License, Version 2.0 is in
/usr/share/common-licenses/Apache-2.0.

Copyright: the authors of handfast

The program contains what follows, under the licenses that are given with it.
`, homepage)
	for _, n := range others {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", n.name, strings.Repeat("-", len(n.name)), strings.TrimSpace(n.text))
	}
	return b.Bytes()
}

// overrides are the complaints of lintian that are no faults of this package, each with its reason.
const overrides = `# The program runs before there is a container, on any host; there is no library to depend on.
handfast: statically-linked-binary
# The package is published with the release, and not uploaded to Debian's archive.
handfast: initial-upload-closes-no-bugs
`

// compressed returns the data as gzip -9n would: without a name and a time.
func compressed(data []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	w.Write(data) // to memory: these cannot fail
	w.Close()
	return b.Bytes()
}
