package seccomp

import "testing"

// dockerProfile returns the profile that Docker writes for a plain container.
func dockerProfile(t testing.TB) (raw []byte) {
	return profileOf(t, "../oci/testdata/clients/docker-1.config.json")
}

func BenchmarkParse(b *testing.B) {
	raw := dockerProfile(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	p, err := Parse(dockerProfile(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(p, X86_64); err != nil {
			b.Fatal(err)
		}
	}
}
