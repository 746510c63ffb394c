# `make` alone prints what there is to make.

# scripts/cargo is cargo, of whichever Rust there is: that is not known before `setup` in `make setup run` has ended.
LIBRARY = $(or $(CARGO_TARGET_DIR),target)/i586-unknown-linux-gnu/$(KERNEL_PROFILE)/libdroste.a
ELF = build/$(QUICK)droste.elf
ISO = build/$(QUICK)droste.iso
PROGRAMS = $(patsubst programs/src/bin/%.rs,build/$(QUICK)programs/%,$(wildcard programs/src/bin/*.rs))
PROGRAM_FILES = $(PROGRAMS:build/$(QUICK)programs/%=$(or $(CARGO_TARGET_DIR),target)/i586-unknown-linux-gnu/release/%)

# Whoever asks for some tests, or those of a lab, has edited a line and waits: their kernel is built in a second or two, and little optimised.
QUICK = $(if $(RELEASE),,$(if $(ONLY)$(LAB),$(if $(filter test,$(MAKECMDGOALS)),quick/)))
KERNEL_PROFILE ?= $(if $(QUICK),quick,release)
export KERNEL_PROFILE

# What people set, on make's command line or in the environment: passed on to the scripts in the environment, as it is.
# Neither make nor a shell reads these values: recipes have "$$NAME", never $(NAME) but to ask whether it is set.
SETTINGS = PROGRAM ARGS KERNEL PROTOCOL UEFI MEM CPU ACCEL TIMEOUT TEST GDB_ARGS ONLY SEED DET OVERLAY ADDR SUBMISSION SUBMISSIONS LAB FROM RESULTS STRICT RELEASE
SET = $(foreach name,$(SETTINGS),$(if $(filter-out undefined,$(origin $(name))),$(name)))
$(foreach name,$(SET),$(eval override $(name) := $$(value $(name))))
export $(SET)

# One after the other, as named: `make setup run`. Cargo and the grader use all cores by themselves.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup doctor build iso explore check-explorer check-screen check-programs hashes run bochs debug where check lint check-reproducible book test bench bench-host clean FORCE

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Variables of run: PROGRAM='primes 50000' ARGS='log=debug' KERNEL=1 PROTOCOL=multiboot UEFI=1 MEM=64 CPU=pentium3 ACCEL=kvm TIMEOUT=120"

setup: ## Install what is missing, by apt and rustup
	@scripts/setup

doctor: ## Show which tools are here, and how to get those that are not
	@scripts/doctor

build: $(ELF) ## Build the kernel, build/droste.elf, and programs for it

iso: $(ISO) ## Build the bootable CD image, build/droste.iso

explore: $(if $(TEST)$(V86),$(ELF)) ## See the memory in a browser: build/explorer.html, the kernel's own code in one page (TEST=NAME: that test's run; V86=1: the whole kernel)
	@scripts/explore

check-explorer: $(ELF) ## Test that page in Chromium, where it is installed
	@scripts/check-explorer

check-screen: $(ELF) ## Boot under UEFI, and read the screen as a picture
	@scripts/need qemu-system-x86_64 grub-mkrescue /usr/share/ovmf/OVMF.fd
	@scripts/cargo test --quiet --package grader --test framebuffer

check-programs: $(ELF) ## Run the tests of programs by GRUB with both protocols, under UEFI, and in Bochs
	@scripts/need qemu-system-i386 qemu-system-x86_64 grub-mkrescue /usr/share/ovmf/OVMF.fd bochs
	@scripts/cargo test --quiet --package grader --test programs -- --ignored --show-output

hashes: $(ELF) $(ISO) ## Print the SHA-256 of both: the same sources make the same bits, wherever they are built
	@sha256sum $(ELF) $(ISO)

run: $(ELF) ## Boot it by GRUB in QEMU, console on this terminal
	@scripts/run-qemu $(ELF)

bochs: $(ELF) ## Boot it by GRUB in Bochs
	@scripts/run-bochs $(ELF)

debug: $(ELF) ## Debug it in QEMU by GDB (TEST=NAME: one of its tests)
	@scripts/debug $(ELF)

where: $(ELF) ## Say which source line an address of the kernel's code comes from: ADDR=0x10abcd
	@scripts/need addr2line
	@[ -n "$$ADDR" ] || { echo 'which address? make where ADDR=0x10abcd' >&2; exit 1; }
	@addr2line -e $(ELF) -f -i -C -p -- "$$ADDR"

book: ## Build the book, build/book, and follow every link in it
	@scripts/cargo run --quiet --package book --features pages

check: lint book ## Check format, lints and documentation, for the host and for the kernel's target
	scripts/cargo fmt --all --check
	scripts/cargo clippy --workspace --exclude programs --all-targets --all-features -- -D warnings
	scripts/cargo --kernel clippy -- -D warnings
	scripts/cargo --programs clippy -- -D warnings
	scripts/check-portable
	RUSTDOCFLAGS='-D warnings' scripts/cargo doc --workspace --exclude programs --all-features --no-deps
	RUSTDOCFLAGS='-D warnings' scripts/cargo --kernel doc --no-deps

lint: ## Check shell scripts, Python files and spelling
	scripts/lint

check-reproducible: $(ELF) $(ISO) ## Build both once more, in another folder, and demand the same bits
	@scripts/check-reproducible $(ELF) $(ISO)

test: $(ELF) $(ISO) ## Run all tests, on the host and in virtual machines (ONLY=GROUP/ID, LAB=N: some, on a quickly built kernel)
	@scripts/test $(ELF)

bench: $(ELF) $(ISO) ## Count the instructions of every operation (CHECK=1, ACCEPT=1: the baseline; DOCS=1: the book)
	@scripts/need qemu-system-i386 ld
	@scripts/cargo run --quiet --package bench $(if $(DOCS),--features plots) -- --kernel $(ELF) --iso $(ISO) \
		$(if $(CHECK),--check) $(if $(ACCEPT),--accept) $(if $(DOCS),--docs)

bench-host: ## Compare frame pool and regions, compiled for the host, with other allocators [LLFREE=dir: llfree, too]
	@scripts/bench-host

clean: ## Remove everything that was built
	rm -rf build target

# Cargo knows best what is up to date, so it is always asked; what follows happens only if it wrote a new library.
$(LIBRARY): FORCE
	@scripts/cargo --kernel rustc --crate-type staticlib

# Linked twice: the second time with a table of the functions that the first time placed.
LINK = ld -m elf_i386 -T linker.ld --gc-sections --fatal-warnings --build-id=none -z noexecstack -z max-page-size=4096

$(ELF): $(LIBRARY) linker.ld scripts/symbols | $(PROGRAMS)
	@scripts/need ld as nm awk
	@mkdir -p $(@D)
	@$(LINK) -o $@.unnamed $(LIBRARY)
	@scripts/symbols $@.unnamed >$@.symbols.s
	@as --32 -o $@.symbols $@.symbols.s
	$(LINK) -o $@ $(LIBRARY) $@.symbols
	@rm $@.unnamed $@.symbols.s $@.symbols

# Each program with its table of functions, which is not loaded with it: the kernel looks into it when the program ends badly.
$(PROGRAM_FILES) &: FORCE
	@KERNEL_PROFILE=release scripts/cargo --programs build --quiet

build/$(QUICK)programs/%: $(or $(CARGO_TARGET_DIR),target)/i586-unknown-linux-gnu/release/% scripts/symbols
	@scripts/need as nm awk objcopy
	@mkdir -p $(@D)
	@scripts/symbols $< | as --32 -o $@.symbols -
	@objcopy --dump-section .symbols=$@.table $@.symbols
	@objcopy --strip-all --add-section .symbols=$@.table $< $@
	@rm $@.symbols $@.table

$(ISO): $(ELF) grub/grub.cfg scripts/make-iso
	scripts/make-iso $(ELF) $@

FORCE:

# Not in the tree that students get.
-include instructor/instructor.mk
