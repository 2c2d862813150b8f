#!/bin/sh
# Counts the instructions per line of a whole process. The figures have no noise, so they show regressions.
#
#   benches/scripts/instructions.sh [--stream bulk|mixed|gossip] ['COMMAND' ...]
#
# Each COMMAND (one word per node, with its arguments inside) runs under cachegrind on 20,000 and on 120,000 lines. The
# difference divided by 100,000 leaves start and end out. Without a COMMAND, rumormill and the two Rust baselines run.
# Gossip runs on a tenth of the lines. The gossip stream has the form of foreign nodes unless the command's program is
# called rumormill. A program has to be the node itself, not a script that starts it. The script needs valgrind and
# python3.
#
# The same binary on the same machine gives the same number up to a few parts in 10,000. (The standard HashSet hashes
# with a random key, and timers depend on the time.) Instructions of the kernel are not counted, so a node that makes a
# system call per line costs more than this figure shows.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)
release=${CARGO_TARGET_DIR:-$scripts/../../target}/release
stream=bulk
few=20000
many=120000

while [ $# -gt 0 ]; do
    case $1 in
    --stream)
        [ $# -ge 2 ] || { echo "--stream needs a name" >&2; exit 2; }
        stream=$2
        shift 2
        ;;
    -h | --help)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*)
        echo "unknown option $1" >&2
        exit 2
        ;;
    *) break ;;
    esac
done
case $stream in
bulk | mixed) ;;
gossip)
    few=$((few / 10))
    many=$((many / 10))
    ;;
*)
    echo "unknown stream $stream" >&2
    exit 2
    ;;
esac
command -v valgrind > /dev/null || { echo "valgrind is not installed" >&2; exit 1; }
if [ $# -eq 0 ]; then
    set -- "$release/rumormill --workload broadcast" \
        "$release/examples/tuned_node" "$release/examples/usual_node"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

# stream_file FORM LINES: name of a file with that stream.
stream_file() {
    file=$scratch/$1-$2.jsonl
    [ -f "$file" ] || python3 "$scripts/whole_process.py" --write-stream "$stream" \
        --lines "$2" --gossip-form "$1" > "$file"
    echo "$file"
}

# instructions COMMAND FILE: instructions of the process, loader and exit included.
instructions() {
    # A command is a program and its arguments, so it is split at blanks.
    # shellcheck disable=SC2086
    if ! valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null \
        --log-file="$scratch/log" $1 < "$2" > "$scratch/output" 2> "$scratch/errors"; then
        echo "failed: $1" >&2
        cat "$scratch/log" "$scratch/errors" >&2
        exit 1
    fi
    # Every request but gossip is answered; of gossip, only `init` is.
    replies=$(grep -c '"in_reply_to"' "$scratch/output" || true)
    wanted=$(wc -l < "$2")
    [ "$stream" = gossip ] && wanted=1
    if [ "$replies" -lt "$wanted" ]; then
        echo "$replies replies, $wanted expected: $1" >&2
        exit 1
    fi
    if grep -q '"type": *"error"' "$scratch/output"; then
        echo "error replies: $1" >&2
        exit 1
    fi
    sed -n 's/.*I *refs: *//p' "$scratch/log" | tr -d ,
}

printf '%14s  %s\n' 'instr./line' "node, stream $stream"
for node; do
    form=foreign
    program=${node%% *}
    [ "${program##*/}" = rumormill ] && form=rumormill
    at_few=$(instructions "$node" "$(stream_file $form $few)")
    at_many=$(instructions "$node" "$(stream_file $form $many)")
    if [ "${at_many:-0}" -le "${at_few:-0}" ]; then
        echo "more lines, but not more instructions; a script that starts the node? $node" >&2
        exit 1
    fi
    printf '%14s  %s\n' $(((at_many - at_few) / (many - few))) "${program##*/}${node#"$program"}"
done
