# ninjaone-auth: make builds, make test runs everything, make soak the long proofs, make demo shows the main job, make bench prints ratios.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD = go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# Static, but for macOS, whose Keychain needs cgo.
ifneq ($(shell uname -s),Darwin)
export CGO_ENABLED = 0
endif

.PHONY: all build standin test soak lint demo bench fuzz docs dist clean

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
	go vet ./...
	go tool staticcheck ./...

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

# A folder for each platform: the program and the wrapper that finds it beside itself. Keychain needs a build on macOS.
dist:
	@for platform in $(PLATFORMS); do \
		folder=dist/ninjaone-auth-$${platform%/*}-$${platform#*/}; mkdir -p $$folder; \
		echo $$folder; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0 $(GO_BUILD) -o $$folder/ ./cmd/ninjaone-auth || exit 1; \
		cp powershell/Connect-NinjaOne.ps1 README.md CHANGELOG.md $$folder/ || exit 1; \
	done

clean:
	rm -rf bin dist
