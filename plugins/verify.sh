#!/bin/sh
# Rebuilds the example plugins and compares them, byte for byte, with those in plugins/built. What this machine has no
# compiler for is skipped, and said so. `--update` puts the rebuilt ones there instead.
#
# Needs, each for its own examples:
#   C               clang-19 and lld-19 (apt), or CLANG
#   Rust            a wasm32-unknown-unknown library: rustup target add, or RUSTC and LINKER as build-rust.sh says, as
#                   debian-rust.sh fetches them. Bytes are compared if it is rustc 1.97.1, else the plugin is checked
#   AssemblyScript  asc 0.28.20 (npm install assemblyscript), or ASC
#   Python          componentize-py 0.25.1 (pip); built and checked, not compared: 18 MB, and no two builds are alike
set -eu
cd "$(dirname "$0")"
update=no; [ "${1:-}" = --update ] && update=yes
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
# The runner that is there, or that RUNNER names. It is not built here: RUSTC may be a compiler for plugins alone.
runner=${RUNNER:-../target/release/runner}
[ -x "$runner" ] || runner=../target/debug/runner
[ -x "$runner" ] || { echo "no runner: cargo build first, or set RUNNER"; exit 2; }
runner() { "$runner" "$@"; }
failed=no; skipped=no

skip() { printf 'SKIPPED  %-18s %s\n' "$1" "$2"; skipped=yes; }

compare() {
    runner plugin pack "$scratch/$1.core.wasm" -o "$scratch/$1.wasm" >/dev/null
    if [ $update = yes ]; then
        cp "$scratch/$1.wasm" "built/$1.wasm"; printf 'updated  %s\n' "$1"
    elif cmp -s "$scratch/$1.wasm" "built/$1.wasm"; then
        printf 'same     %s\n' "$1"
    else
        printf 'DIFFERS  %s\n' "$1"; failed=yes
    fi
}

if command -v "${CLANG:-clang-19}" >/dev/null; then
    ewma/build.sh "$scratch/ewma.core.wasm" && compare ewma
else
    skip ewma "no ${CLANG:-clang-19}: apt-get install clang-19 lld-19"
fi

asc=${ASC:-$(command -v asc || true)}
if [ -n "$asc" ]; then
    (cd reputation && "$asc" reputation.ts -O3 --noAssert --runtime stub --use abort= -o "$scratch/reputation.core.wasm")
    compare reputation
else
    skip reputation "no asc: npm install assemblyscript@0.28.20, and set ASC"
fi

RUSTC=${RUSTC:-rustc}; export RUSTC
rustlib=$("$RUSTC" --print sysroot)/lib/rustlib/wasm32-unknown-unknown
for name in ewma-rust half-space-trees robust-zscore; do
    if [ ! -d "$rustlib" ]; then
        skip "$name" "no wasm32-unknown-unknown library: rustup target add wasm32-unknown-unknown, or debian-rust.sh"
        continue
    fi
    CARGO_TARGET_DIR="$scratch/target" ./build-rust.sh "$name" "$scratch/$name.core.wasm" 2>"$scratch/log" ||
        { cat "$scratch/log"; printf 'DOES NOT BUILD  %s\n' "$name"; failed=yes; continue; }
    case $("$RUSTC" --version) in
    "rustc 1.97.1 "*) compare "$name" ;;
    *)
        # Another compiler makes other bytes of the same source.
        runner plugin pack "$scratch/$name.core.wasm" -o "$scratch/$name.wasm" >/dev/null
        runner plugin check "$scratch/$name.wasm" >"$scratch/log" || { cat "$scratch/log"; failed=yes; }
        skip "$name" "built and checked, its bytes not compared: they are of rustc 1.97.1"
        ;;
    esac
done

if command -v componentize-py >/dev/null; then
    rules/build.sh "$scratch/rules.wasm" >/dev/null
    runner plugin check "$scratch/rules.wasm" >"$scratch/log" && printf 'checked  rules\n' ||
        { cat "$scratch/log"; failed=yes; }
else
    skip rules "no componentize-py: pip install componentize-py==0.25.1"
fi

if [ $update = yes ]; then (cd built && sha256sum -- *.wasm >SHA256SUMS); fi
(cd built && sha256sum --check --quiet SHA256SUMS) || failed=yes
[ $skipped = no ] || echo "some were skipped: their bytes are checked against SHA256SUMS alone"
[ $failed = no ]
