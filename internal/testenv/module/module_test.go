package module

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func TestGoMod(t *testing.T) {
	its := "module k8s.io/kubernetes\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n" +
		"\tgithub.com/a/b => github.com/c/b v1.2.3\n)\n\nreplace k8s.io/kubelet => ./staging/src/k8s.io/kubelet\n"
	head := "module build\n\ngo " + strings.TrimPrefix(runtime.Version(), "go") + "\n\n"
	for parts, want := range map[string]string{
		"": "require k8s.io/kubernetes v1.34.4\n",
		"v0.34.4": "require k8s.io/kubernetes v1.34.4\nreplace k8s.io/api => k8s.io/api v0.34.4\n" +
			"replace k8s.io/kubelet => k8s.io/kubelet v0.34.4\n",
	} {
		p := Program{Module: "k8s.io/kubernetes", Version: "v1.34.4", Package: "cmd/kubelet", Parts: parts}
		if got := p.goMod(its); got != head+want {
			t.Errorf("%q:\n%s\nwant\n%s", parts, got, head+want)
		}
	}
}

// TestBuild builds a program of a module that a directory publishes in place of a server.
func TestBuild(t *testing.T) {
	proxy := t.TempDir()
	publish(t, proxy, "example.com/tool", "v1.2.3", map[string]string{
		"go.mod":           "module example.com/tool\n\ngo 1.26\n",
		"cmd/tool/main.go": "package main\n\nvar version string\n\nfunc main() { print(version) }\n",
	})
	for name, value := range map[string]string{
		"GOPROXY": "file://" + proxy, "GOSUMDB": "off", "GOFLAGS": "-modcacherw", "GOMODCACHE": t.TempDir(), "GOWORK": "off",
	} {
		t.Setenv(name, value)
	}
	to := filepath.Join(t.TempDir(), "bin")
	for variable, want := range map[string]string{"": "", "main.version": "1.2.3"} {
		p := Program{Module: "example.com/tool", Version: "v1.2.3", Package: "cmd/tool", Variable: variable}
		if err := p.Build(filepath.Join(t.TempDir(), "scratch"), to); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(to, p.Name())).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("with the variable %q the program prints %q, %v, want %q", variable, out, err, want)
		}
	}
	for version, words := range map[string]string{
		"v1.2.4": "example.com/tool v1.2.4: ", // it is not there
		"v1.2.3": "building none of example.com/tool v1.2.3: exit status 1\n",
	} {
		p := Program{Module: "example.com/tool", Version: version, Package: "cmd/none"}
		if err := p.Build(t.TempDir(), to); err == nil || !strings.HasPrefix(err.Error(), words) {
			t.Errorf("%s: %v, want %q", version, err, words)
		}
	}
}

// publish adds a module to a directory that the go command can use as a proxy.
func publish(t *testing.T, proxy, module, version string, files map[string]string) {
	t.Helper()
	base := filepath.Join(proxy, module, "@v", version)
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		t.Fatal(err)
	}
	for suffix, text := range map[string]string{".info": `{"Version":"` + version + `"}`, ".mod": files["go.mod"]} {
		if err := os.WriteFile(base+suffix, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(base + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for name, text := range files {
		part, err := w.Create(module + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
