#!/usr/bin/env bash
# A Debian package with manual pages and completions in target/debian; needs cargo-deb.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked -p tmad-cli
tmad=${CARGO_TARGET_DIR:-target}/release/tmad
dist=target/dist
rm -rf "$dist"
mkdir -p "$dist"
"$tmad" man --out "$dist/man"
"$tmad" completions bash >"$dist/tmad"
"$tmad" completions zsh >"$dist/_tmad"
"$tmad" completions fish >"$dist/tmad.fish"
cargo deb -p tmad-cli --no-build --locked "$@"
