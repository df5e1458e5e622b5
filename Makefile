# SPDX-License-Identifier: Apache-2.0
#
# `make` lists the targets. Building, running and testing need Go and make only.

GO            ?= go
CLANG_FORMAT  ?= clang-format-19
CLANG         ?= clang-19
CONFIG        ?= config/vedette.yaml
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The rings of tests that must run, as a comma list: plain, native, vm, reference, server, debian. A test of such a ring
# that cannot run is then a failure.
VEDETTE_REQUIRE_RINGS ?=
export VEDETTE_REQUIRE_RINGS

# The same settings for all targets, so that the binary and the tests share what is compiled.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

# What the generators write.
GENERATED := cmd/vedette/main.go cmd/vedette/components.go internal/event/zz_generated.go docs/events.md docs/baselines.md \
	$(wildcard config/elasticsearch/*/*.json) config/kibana/vedette.ndjson
GENERATED_BPF := $(wildcard bpf/*_bpfel.go bpf/*_bpfel.o)
C_SOURCES := $(wildcard bpf/*.c bpf/*.h bpf/include/*.h)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5); next } \
	  /^[a-zA-Z_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo

##@ Use

.PHONY: build
build: ## Build bin/vedette.
	$(GO) build -o bin/vedette ./cmd/vedette

.PHONY: run
run: build ## Build and run with config/vedette.yaml (needs root; CONFIG=file for another).
	bin/vedette --config $(CONFIG)

.PHONY: doctor
doctor: build ## Build and say whether this host can be watched.
	bin/vedette doctor

##@ Test

.PHONY: test
test: ## Run every test this machine can run and list what it cannot (VEDETTE_REQUIRE_RINGS makes rings mandatory).
	$(GO) run ./internal/ring/cmd/ringtest $(ARGS)

.PHONY: test-vm
test-vm: ## Run the tests for several kernels in virtual machines (ARGS=-help lists the flags).
	$(GO) run ./test/vm $(ARGS)

.PHONY: pysigma
pysigma: build/pysigma/requirements.txt ## Install pySigma, which the Sigma parser is compared with (needs python3-venv and the network).

# The copy comes last: it says that what it names is installed.
build/pysigma/requirements.txt: test/pysigma/requirements.txt
	python3 -m venv --clear build/pysigma
	build/pysigma/bin/python -m pip --disable-pip-version-check install --quiet --only-binary :all: --requirement $<
	cp $< $@

SERVERS := $(wildcard test/server/*)

.PHONY: servers
servers: build/servers/installed ## Install Elasticsearch, OpenSearch and Kafka for tests (needs a JDK 17, Maven and the network, once).

build/servers/installed: $(SERVERS)
	test/server/install.sh build/servers

.PHONY: debian
debian: build/debian/installed ## Make a root of Debian 12 for tests of repairs (needs root, debootstrap and the network, once).

build/debian/installed: test/debian/install.sh
	test/debian/install.sh build/debian

.PHONY: test-es
test-es: servers ## Run the tests that need Elasticsearch, OpenSearch and Kafka.
	VEDETTE_REQUIRE_RINGS=server $(GO) run ./internal/ring/cmd/ringtest -vm never $(ARGS) ./test/elastic/... ./test/outputs/...

.PHONY: build-directory
build-directory:
	@mkdir -p build

# Each fuzz target is run alone, as Go wants it. Go now and then reports the end
# of the time given as a failure (go.dev/issue/75804): the deadline as the only
# message and no failing input is no finding.
FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: | build-directory ## Fuzz every parser of bytes from outside, and the engine against the evaluator (FUZZTIME=10s each).
	@$(GO) list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r package dir; do \
	  for name in $$(cat $$dir/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do \
	    echo "$$name in $$package"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$package </dev/null >build/fuzz.log 2>&1 || \
	      { grep -A1 '^--- FAIL' build/fuzz.log | grep -qx '    context deadline exceeded' && ! grep -q 'Failing input written' build/fuzz.log; } || \
	      { cat build/fuzz.log; exit 1; }; \
	  done; \
	done

.PHONY: bench
bench: ## Measure cost and throughput; prints a table and writes build/bench.json.
	$(GO) run ./test/bench $(ARGS)

.PHONY: record
record: build ## Record two hours of everyday work in a container (needs root; ARGS=-help lists the flags).
	$(GO) run ./test/recording $(ARGS)

.PHONY: lint
lint: lint-format lint-go lint-licence lint-generated ## Check format, code, licences and that generated files are current.

.PHONY: lint-format
lint-format:
	@bad=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	  if [ -n "$$bad" ]; then echo "not formatted by gofmt:"; echo "$$bad"; exit 1; fi
	@if command -v $(CLANG_FORMAT) >/dev/null; then $(CLANG_FORMAT) --dry-run -Werror $(C_SOURCES); \
	  else echo "lint: $(CLANG_FORMAT) is not installed; the format of bpf/ is not checked"; fi

.PHONY: lint-go
lint-go:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# bpf2go writes Go files without the line; its input carries the licence.
.PHONY: lint-licence
lint-licence:
	@bad=$$(git ls-files -co --exclude-standard '*.go' '*.c' '*.h' | grep -v '_bpfel\.go$$' | \
	  while read -r file; do head -n 1 "$$file" | grep -q 'SPDX-License-Identifier: ' || echo "$$file"; done); \
	  if [ -n "$$bad" ]; then echo "no SPDX line at the top:"; echo "$$bad"; exit 1; fi

.PHONY: lint-generated
lint-generated:
	@files="$(GENERATED)"; parts=generate-go; \
	  if command -v $(CLANG) >/dev/null; then files="$$files $(GENERATED_BPF)"; parts="$$parts generate-bpf"; \
	  else echo "lint: $(CLANG) is not installed; the compiled programs in bpf/ are not checked"; fi; \
	  before=$$(sha256sum $$files) && $(MAKE) --no-print-directory -s $$parts && after=$$(sha256sum $$files) && \
	  if [ "$$before" != "$$after" ]; then echo "generated files were stale; commit what changed"; exit 1; fi

##@ Develop

.PHONY: generate
generate: generate-go generate-bpf ## Write all generated files anew (the kernel programs need clang-19 and llvm-19).

.PHONY: generate-go
generate-go: docs ## Write the generated Go files: the Collector's main and the event vocabulary.
	$(GO) generate ./cmd/vedette

.PHONY: generate-bpf
generate-bpf: ## Compile the kernel programs in bpf/.
	$(GO) generate ./bpf

.PHONY: generate-attack
generate-attack: ## Write the ATT&CK table from a list of techniques (LIST=file.json).
	$(GO) run ./internal/attack/gen -in $(or $(LIST),$(error LIST names no file)) -out internal/attack/zz_generated.go

.PHONY: docs
docs: ## Write the generated references in docs/, and what Elasticsearch and Kibana are set up with.
	$(GO) generate ./internal/event ./internal/elastic ./internal/baselines

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin build
