# ninjaone-auth: make builds, make test runs everything, make soak the long proofs, make demo shows the main job, make bench prints ratios.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD = go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
TOOL = go tool -modfile=tools/go.mod

# Static, but for macOS, whose Keychain needs cgo.
ifneq ($(shell uname -s),Darwin)
export CGO_ENABLED = 0
endif

.PHONY: all build standin test soak lint lint-workflows demo bench fuzz docs dist clean

all: build

build:
	$(GO_BUILD) -o bin/ ./cmd/ninjaone-auth

standin:
	go build -o bin/ ./tests/cmd/standin ./tests/cmd/play

# Everything: lint, Go, black box, Pester. PWSH=none leaves Pester out; REQUIRE_ALL=1 fails for whatever this machine lacks.
test: build standin
	@tests/run

# The long proofs, of which make test runs a sample, in full: kills, races and interrupts, with their figures.
soak: build standin
	SOAK=1 go test -count=1 -v -timeout 30m -run 'Kill|Race' ./tests
	SOAK=1 NINJAONE_AUTH_PATH=$(CURDIR)/bin/ninjaone-auth PLAY_PATH=$(CURDIR)/bin/play \
		pwsh -NoProfile -NonInteractive -File tests/pester.ps1 -Only '*loses no answer*'

lint:
	@unformatted=$$(gofmt -l cmd pkg powershell tests); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }
	go vet -tags dist ./...
	go tool staticcheck -tags dist ./...

lint-workflows:
	$(TOOL) actionlint

demo: build standin
	@tests/demo

# The help page, from the wrapper.
docs:
	pwsh -NoProfile -NonInteractive -File tests/help-page.ps1

bench: build standin
	@tests/bench

# FUZZTIME=1m make fuzz: every fuzz target in turn; make test runs their seeds.
FUZZTIME ?= 10s
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' pkg | while read -r file; do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z]+).*/\1/p' $$file); do \
			go test ./$$(dirname $$file) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit 1; \
		done; done

# What a release page holds, in dist/ (CONTRIBUTING.md): a snapshot, which goes nowhere. goreleaser insists on a remote, so it gets one.
dist: export GIT_CONFIG_COUNT = 1
dist: export GIT_CONFIG_KEY_0 = remote.origin.url
dist: export GIT_CONFIG_VALUE_0 = https://github.com/OWNER/ninjaone-auth
dist:
	$(TOOL) goreleaser release --snapshot --clean
	go test -count=1 -v -tags dist -run TestDist ./tests

clean:
	rm -rf bin dist
