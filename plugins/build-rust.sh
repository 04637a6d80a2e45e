#!/bin/sh
# Builds a Rust plugin: build-rust.sh FOLDER OUT.core.wasm
#
# Needs a compiler with the wasm32-unknown-unknown library: `rustup target add wasm32-unknown-unknown`, or RUSTC set to one
# that has it and LINKER to a wasm-ld. Paths are taken out of the code, so that any folder gives the same bytes.
set -eu
folder=$(cd "$1" && pwd)
out=$2
target=${CARGO_TARGET_DIR:-$folder/target}
export RUSTFLAGS="-C target-feature=+simd128 -C link-arg=-zstack-size=65536 \
    --remap-path-prefix=$folder=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
[ -z "${LINKER:-}" ] || export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$LINKER"
cargo build --manifest-path "$folder/Cargo.toml" --target-dir "$target" --release --locked --target wasm32-unknown-unknown
cp "$target/wasm32-unknown-unknown/release/$(basename "$folder" | tr - _).wasm" "$out"
