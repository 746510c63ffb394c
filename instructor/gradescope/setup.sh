#!/usr/bin/env bash
# Prepares a container for grading, once, while the network is there: tools, Rust, crates, and all that can be built
# before there is a submission. DROSTE_AUTOGRADER is where the platform's directory is, if not at /autograder.
set -euo pipefail

home=${DROSTE_AUTOGRADER:-/autograder}
tree=$home/source/tree
export CARGO_HOME=$home/rust/cargo RUSTUP_HOME=$home/rust/rustup
mkdir -p "$home/results"

missing=
for tool in gcc:gcc ld:binutils make:make qemu-system-i386:qemu-system-x86 curl:curl setpriv:util-linux; do
    command -v "${tool%%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
if [ -n "$missing" ]; then
    apt-get -q update
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends ca-certificates libc6-dev $missing
fi

# A build by another user, where there is nothing better, can't read hidden tests before they are compiled in.
[ ! -d "$home/source/hidden" ] || chmod -R go= "$home/source/hidden"

cd "$tree"
release=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
if ! command -v rustup >/dev/null && [ ! -x "$CARGO_HOME/bin/rustup" ]; then
    curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y --no-modify-path --profile minimal --default-toolchain none
fi
PATH=$CARGO_HOME/bin:$PATH rustup toolchain install "$release" --no-self-update --profile minimal --target i586-unknown-linux-gnu

# A container with little memory builds one crate at a time.
export CARGO_BUILD_JOBS=1
scripts/cargo fetch --locked
scripts/cargo build --package instructor
# The kernel's crates, by grading what was handed out. It fails its tests, and no more than that.
hidden=()
[ ! -d "$home/source/hidden" ] || hidden=(--overlay "$home/source/hidden")
target/debug/instructor grade --workplace "$home/workplace" --results "$home/graded" "${hidden[@]}" . || [ $? = 1 ]
rm -r "$home/graded"
