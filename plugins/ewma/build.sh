#!/bin/sh
# Builds ewma.core.wasm; `runner plugin pack ewma.core.wasm` makes the plugin of it.
# Debian: apt-get install clang-19 lld-19. The same bytes come out in any folder.
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang-19}" --target=wasm32-unknown-unknown -O2 -Wall -Wextra -ffp-contract=off -nostdlib -fuse-ld=lld \
    -mbulk-memory -msimd128 -Wl,--no-entry,-z,stack-size=16384,--export-memory,--strip-all -o "${1:-ewma.core.wasm}" ewma.c
