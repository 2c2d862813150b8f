#!/usr/bin/env bash
# Sends a million mixed lines through the whole runner process, and counts the calls of its allocator after the warm-up.
# Prints the counts before and after, and fails unless they are equal.
#
#   checks/zero-alloc/run.sh [options of the node]
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
start=$PWD
cd "$here"
target=${CARGO_TARGET_DIR:-$here/target}
case $target in
/*) ;;
*) target=$start/$target ;;
esac

CARGO_TARGET_DIR=$target cargo build --release --locked
exec "$target/release/rumormill-zero-alloc" "$@"
