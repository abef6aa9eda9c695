# Thin on purpose: each target is a script in Scripts/, which says what it does.
.DEFAULT_GOAL := help
.PHONY: help build bench bench-peers doctor test test-unit test-release test-tsan test-c test-vm \
	soak fuzz lint format install deb docs examples clean

help:
	@echo 'make build      build the libraries (debug)'
	@echo 'make bench      build and run the benchmark on the simulated device, or on a real one with'
	@echo "                DEVICE=/dev/vhost-vdpa-0; ARGS='map --json results.json' passes arguments"
	@echo 'make bench-peers'
	@echo '                the same workloads on the peers, in turns: best fit over ordered maps,'
	@echo "                rte_mempool; ARGS='space' or 'pool' picks one"
	@echo "make doctor     build vdpa-doctor and ask it whether this machine is ready; ARGS='--open --json'"
	@echo 'make test       every test: unit, release, tsan, c, examples, vm; ends with the counts'
	@echo 'make test-unit  tests that need no VM'
	@echo 'make test-release'
	@echo '                the IOVA space in release: all sequences of 6 operations, 2 million random steps'
	@echo 'make test-tsan  what threads do at once, under ThreadSanitizer'
	@echo 'make test-c     the installed C library, from C, C++ and Rust'
	@echo "make test-vm    the conformance suite on real kernel devices in a VM; PROFILES='sim iommu'"
	@echo '                picks some of sim, sim-nobatch, iommu, vduse'
	@echo 'make soak       the long forms of the slow tests, in release, and real DMA in the VM: 15 minutes'
	@echo 'make fuzz       libFuzzer on the IOVA space for DURATION=600 seconds; SEED=N chooses the seed'
	@echo 'make lint       formatting, imports, files, warnings as errors'
	@echo 'make format     format every Swift file in place'
	@echo 'make install    the C library, its header, pkg-config and CMake files; PREFIX=/usr/local'
	@echo 'make deb        the same as Debian packages, in .build/deb'
	@echo 'make examples   the examples, built and run on simulated devices'
	@echo 'make docs       the documentation of the public products, in .build/docs'
	@echo 'make clean      remove what was built here (not the cached VM)'

build:
	@Scripts/build

bench:
	@DEVICE='$(DEVICE)' Scripts/bench $(ARGS)

bench-peers:
	@Scripts/bench-peers $(ARGS)

doctor:
	@Scripts/doctor $(ARGS)

test:
	@Scripts/test

test-unit:
	@Scripts/test-unit

test-release:
	@Scripts/test-release

test-tsan:
	@Scripts/test-tsan

test-c:
	@Scripts/test-c

install:
	@PREFIX='$(or $(PREFIX),/usr/local)' DESTDIR='$(DESTDIR)' Scripts/install

docs:
	@Scripts/docs

examples:
	@Scripts/examples

deb:
	@Scripts/deb

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
	rm -rf .build .build-* Benchmarks/.build Tools/.build Tests/Consumer/.build
