#!/bin/sh
# Builds rules.wasm, a component of about 18 MB, with `pip install componentize-py==0.25.1`. Takes a quarter of a minute.
set -eu
cd "$(dirname "$0")"
wit=../wit; [ -d "$wit" ] || wit=wit
componentize-py -d "$wit" -w detector-plugin componentize --stub-wasi app -o "${1:-rules.wasm}"
