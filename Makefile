# Each target is one line with one meaning. What needs more than a line is a program of its own.
# Without a tag the version is the one in cmd/handfast/version.go.
VERSION  ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
FUZZTIME ?= 30s
ROUNDS   ?= 50
FAULTS   ?= 1
export CGO_ENABLED = 0

.DEFAULT_GOAL = build
.PHONY: build demo test test-faults test-vm test-oci test-cross test-clients test-bats check fuzz bench bench-against install dist clean

# The copy starts faster: the linker writes through a memory map, page by page (docs/performance.md, "An installed program").
build:   ; go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)" -o bin/linked ./cmd/handfast && install -m 0755 bin/linked bin/handfast && rm bin/linked
demo:    ; test/demo.sh
test:    ; test/setup.sh test && go test -buildvcs=false -timeout 30m $(TESTFLAGS) ./...
test-faults: export HANDFAST_TEST_FAULTS = $(FAULTS)
test-faults: ; test/setup.sh test && go test -buildvcs=false -count=1 -timeout 3h -v -run 'Sweep|AtEachCall|Generated' ./test
test-vm: ; test/setup.sh $(if $(findstring arm64,$(VM)),vm-arm64,vm) && go run -buildvcs=false ./internal/tools/vm $(VM)
test-oci: ; test/setup.sh oci && cd test/oci && go vet -buildvcs=false . && go test -buildvcs=false . && go run -buildvcs=false .
test-cross: ; test/setup.sh cross && go run -buildvcs=false ./internal/tools/cross $(CROSS)
test-clients: build ; test/setup.sh $(if $(findstring docker-29,$(CLIENTS)),clients-29,clients) && go run -buildvcs=false ./test/managers $(CLIENTS)
test-bats: build ; test/setup.sh bats && go run -buildvcs=false ./test/bats $(BATS)
check:   ; go run -buildvcs=false ./internal/tools/check
fuzz:    ; go run -buildvcs=false ./internal/tools/fuzz $(FUZZTIME)
bench:   ; test/setup.sh bench && go run -buildvcs=false ./bench -rounds $(ROUNDS) && cd bench/conversation && go run -buildvcs=false .
bench-against: ; test/setup.sh bench && go run -buildvcs=false ./bench -rounds 10 -against bench/record.json
install: build ; install -D -m 0755 bin/handfast $(DESTDIR)$(BINDIR)/handfast
dist:    ; test/setup.sh dist && go run -buildvcs=false ./internal/tools/dist $(DIST)
clean:   ; rm -rf bin dist
