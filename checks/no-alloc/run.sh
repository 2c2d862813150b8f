#!/usr/bin/env bash
# Builds the core without features as a static library, shows that nothing in it asks for an allocator, links it with a
# small C program, runs two nodes in it, and prints the sizes. It fails if any of this does not work. It needs cargo,
# cc, nm and size.
#
#   checks/no-alloc/run.sh [REQUESTS] [further arguments for cargo]
#
# `run.sh 1000 --features sabotage` shows that the check can fail.
set -euo pipefail

requests=${1:-100000}
shift $(($# > 0 ? 1 : 0))
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
start=$PWD
cd "$here"
target=${CARGO_TARGET_DIR:-$here/target}
case $target in
/*) ;;
*) target=$start/$target ;;
esac

CARGO_TARGET_DIR=$target cargo build --release --locked "$@"
archive=$target/release/librumormill_no_alloc.a

# Rust's own entry points are mangled, so a part of the name is matched. The names of C functions are matched as a
# whole.
wanted='__rust_(alloc|dealloc|realloc|no_alloc_shim)|__r(g|dl)_(alloc|dealloc|realloc|oom)|alloc_error_handler'
wanted="$wanted|^(malloc|calloc|realloc|reallocarray|free|cfree|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|sbrk|mmap)\$"
allocators() {
    nm "$@" 2>/dev/null | awk 'NF > 1 { print $NF }' | sed 's/@.*//' | sort -u | grep -E "$wanted" || true
}

found=$(allocators --undefined-only "$archive")
if [ -n "$found" ]; then
    printf 'the archive asks for an allocator:\n%s\n' "$found" >&2
    exit 1
fi
echo "the archive asks for: $(nm --undefined-only "$archive" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u | tr '\n' ' ')"

program=$target/release/rumormill_no_alloc
cc -O2 -Wall -Wextra -Werror -o "$program" main.c "$archive" -Wl,--gc-sections
found=$(allocators "$program")
if [ -n "$found" ]; then
    printf 'the program asks for or brings an allocator:\n%s\n' "$found" >&2
    exit 1
fi

"$program" "$requests"
size "$program"
echo "no allocator: ok"
