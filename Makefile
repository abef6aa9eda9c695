# Thin on purpose: each target is a script in Scripts/, which says what it does.
.DEFAULT_GOAL := help
.PHONY: help build bench bench-peers test test-unit test-tsan test-vm soak fuzz lint format \
	clean

help:
	@echo 'make build      build the libraries (debug)'
	@echo 'make bench      build and run the benchmark on the simulated device, or on a real one with'
	@echo "                DEVICE=/dev/vhost-vdpa-0; ARGS='map --json results.json' passes arguments"
	@echo 'make bench-peers'
	@echo '                the same workloads on best-fit allocators over ordered maps, in turns'
	@echo 'make test       every test: test-unit, test-tsan, test-vm; ends with the counts'
	@echo 'make test-unit  tests that need no VM'
	@echo 'make test-tsan  what threads do at once, under ThreadSanitizer'
	@echo "make test-vm    the conformance suite on real kernel devices in a VM; PROFILES='sim iommu'"
	@echo '                picks some of sim, sim-nobatch, iommu, vduse'
	@echo 'make soak       the long forms of the slow tests, in release, and real DMA in the VM: 15 minutes'
	@echo 'make fuzz       libFuzzer on the IOVA space for DURATION=600 seconds; SEED=N chooses the seed'
	@echo 'make lint       formatting, imports, files, warnings as errors'
	@echo 'make format     format every Swift file in place'
	@echo 'make clean      remove what was built here (not the cached VM)'

build:
	@Scripts/build

bench:
	@DEVICE='$(DEVICE)' Scripts/bench $(ARGS)

bench-peers:
	@Scripts/bench-peers $(ARGS)

test:
	@Scripts/test

test-unit:
	@Scripts/test-unit

test-tsan:
	@Scripts/test-tsan

test-vm:
	@Scripts/test-vm $(PROFILES)

soak:
	@Scripts/soak

fuzz:
	@SEED='$(SEED)' Scripts/fuzz $(DURATION)

lint:
	@Scripts/lint

format:
	@git ls-files --cached --others --exclude-standard '*.swift' | xargs swift format --in-place

clean:
	rm -rf .build .build-* Benchmarks/.build Tests/Consumer/.build
