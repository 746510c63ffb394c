# `make` alone prints what there is to make.

# Which Rust: CARGO, TARGET and what they need, see scripts/toolchain. Nothing if there is none yet.
$(foreach word,$(shell scripts/toolchain 2>/dev/null),$(eval $(word)))
ifdef RUSTUP_TOOLCHAIN
export RUSTUP_TOOLCHAIN
endif
ifeq ($(TOOLCHAIN),debian)
export RUSTC RUSTDOC
export PATH := /usr/bin:$(PATH)# where cargo looks for its own subcommands first
endif

# How cargo is called for the kernel; anything else it builds is for the host.
KERNEL_CARGO = $(KERNEL_ENV) $(CARGO)
FOR_KERNEL = --package droste --lib --release --target $(TARGET) $(KERNEL_FLAGS)
LIBRARY = $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/release/libdroste.a

ELF = build/droste.elf
ISO = build/droste.iso

# What the run scripts read; make passes on what is set on its command line.
export ARGS KERNEL PROTOCOL UEFI MEM ACCEL TIMEOUT GDB_ARGS

.DELETE_ON_ERROR:
.PHONY: help setup doctor build iso run bochs debug check test clean rust FORCE

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Variables of run: ARGS='log=debug' KERNEL=1 PROTOCOL=multiboot UEFI=1 MEM=64 ACCEL=kvm TIMEOUT=120"

setup: ## Install what is missing, by apt and rustup
	@scripts/setup

doctor: ## Show which tools are here, and how to get those that are not
	@scripts/doctor

build: $(ELF) ## Build the kernel, build/droste.elf

iso: $(ISO) ## Build the bootable CD image, build/droste.iso

run: $(ELF) ## Boot it by GRUB in QEMU, console on this terminal
	@scripts/run-qemu $(ELF)

bochs: $(ELF) ## Boot it by GRUB in Bochs
	@scripts/run-bochs $(ELF)

debug: $(ELF) ## Boot it in QEMU under GDB, stopped at kmain
	@scripts/debug $(ELF)

check: rust ## Check format, lints and documentation, for the host and for the kernel's target
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(KERNEL_CARGO) clippy $(FOR_KERNEL) -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps
	RUSTDOCFLAGS='-D warnings' $(KERNEL_CARGO) doc $(FOR_KERNEL) --no-deps

test: $(ELF) $(ISO) ## Run all tests, on the host and in virtual machines
	@scripts/test "$(CARGO)" $(ELF)

clean: ## Remove everything that was built
	rm -rf build target

rust:
	@scripts/toolchain >/dev/null

# Cargo knows best what is up to date, so it is always asked; what follows happens only if it wrote a new library.
$(LIBRARY): FORCE | rust
	$(KERNEL_CARGO) rustc $(FOR_KERNEL) --crate-type staticlib

$(ELF): $(LIBRARY) linker.ld
	@scripts/need ld
	@mkdir -p $(@D)
	ld -m elf_i386 -T linker.ld --gc-sections --fatal-warnings --build-id=none -z noexecstack -z max-page-size=4096 \
		-o $@ $(LIBRARY)

$(ISO): $(ELF) grub/grub.cfg scripts/make-iso
	scripts/make-iso $(ELF) $@

FORCE:
