#!/usr/bin/env python3
"""Measures the cost of a line in a whole process: rumormill and the baselines.

Runs `cat FILE | node > /dev/null` for every node and stream, in rounds (A B C A B C ...) after a
warm-up round, and prints per node and stream the median of the CPU time (user and system) that the
node's own process used per line, with the smallest and the largest round, the ratio to rumormill
and the peak of its resident memory. CPU time of `cat` and waiting are not part of it.

Before anything is timed, each node answers the same stream once more, followed by a `read`. Every
reply is compared with what is expected, in order; the first difference ends the run with status 1.

Streams (one JSON object per line, compact, as Maelstrom sends them; all start with `init`):

  bulk     `broadcast` of unique integers.
  mixed    90 % `broadcast` of 100 distinct values, 10 % `read`.
  gossip   lines of 100 integers from the peer n2, a tenth as many lines as in the others. No value
           comes twice, as between nodes that acknowledge. rumormill has a form of its own (dots
           under a replica's name), and the baselines take a plain list, so the lines differ by a
           few bytes. --gossip-form gives all nodes the same form.

Limits of these numbers. Values are consecutive, as those of Maelstrom's broadcast workload are,
and a set that packs neighbours gains from that (--order scattered takes it away). The cluster of
bulk and mixed is one node, because the baselines do not gossip. A node that gets fewer lines
(python by default) ends with a smaller set, which is cheaper to fill and needs less memory: its
ratio is marked with a star. `wc -l` is no node; it shows how little a line can cost.

Examples:

  cargo build --release --workspace --examples --bins
  benches/scripts/whole_process.py
  benches/scripts/whole_process.py --stream bulk --nodes old=/some/where/rumormill --nodes \\
      rumormill='target/release/rumormill --workload broadcast'
  benches/scripts/whole_process.py --write-stream bulk --lines 20000 > bulk.jsonl
"""

import argparse
import ctypes
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import chain
from math import gcd
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = "rumormill"
STREAMS = ("bulk", "mixed", "gossip")
MIXED_VALUES = 100
MIXED_READ_EVERY = 10
GOSSIP_VALUES_PER_LINE = 100
LINES_PER_GOSSIP_LINE = 10
VERIFY_TIMEOUT_S = 600
WC = ["wc", "-l"]


# --- Streams: the lines, and the replies they have to get ----------------------------------------


def scatter(count):
    """A permutation of 0..count without locality: steps of about 0.618 count, coprime with it."""
    step = max(1, int(count * 0.6180339887))
    while gcd(step, count) != 1:
        step += 1
    return lambda index: index * step % count


class Stream:
    """One stream of `lines` lines after `init`. Line N has the id and the msg_id N."""

    def __init__(self, kind, lines, gossip_form, order, first_from):
        self.kind = kind
        self.lines = lines
        self.gossip_form = gossip_form
        self.first_from = first_from
        per_line = GOSSIP_VALUES_PER_LINE if kind == "gossip" else 1
        self.value_count = MIXED_VALUES if kind == "mixed" else lines * per_line
        self.value = scatter(self.value_count) if order == "scattered" else lambda index: index

    def node_ids(self):
        return ["n1", "n2"] if self.kind == "gossip" else ["n1"]

    def init(self):
        body = {"type": "init", "node_id": "n1", "node_ids": self.node_ids(), "msg_id": 0}
        message = {"id": 0, "src": "c1", "dest": "n1", "body": body}
        return json.dumps(message, separators=(",", ":")) + "\n"

    def requests(self):
        yield self.init()
        for n in range(1, self.lines + 1):
            if self.kind == "gossip":
                yield self.gossip(n)
            elif self.kind == "mixed" and n % MIXED_READ_EVERY == 0:
                yield self.read(n)
            else:
                yield (
                    f'{{"id":{n},"src":"c1","dest":"n1","body":{{"type":"broadcast",'
                    f'"message":{self.broadcast_value(n)},"msg_id":{n}}}}}\n'
                )

    def broadcast_value(self, n):
        if self.kind == "mixed":
            broadcasts_before = (n - 1) - (n - 1) // MIXED_READ_EVERY
            return self.value(broadcasts_before % MIXED_VALUES)
        return self.value(n - 1)

    def gossip(self, n):
        first = (n - 1) * GOSSIP_VALUES_PER_LINE
        values = ",".join(str(self.value(first + i)) for i in range(GOSSIP_VALUES_PER_LINE))
        if self.gossip_form == "foreign":
            body = f'"type":"gossip","messages":[{values}]'
        else:
            start = self.first_from + first
            body = f'"type":"gossip","inc":7,"data":[["n2@7",{start},{values}]],"msg_id":{n}'
        return f'{{"src":"n2","dest":"n1","body":{{{body}}}}}\n'

    @staticmethod
    def read(n):
        return f'{{"id":{n},"src":"c1","dest":"n1","body":{{"type":"read","msg_id":{n}}}}}\n'

    def expected_replies(self):
        """(in_reply_to, type, values or None) of every reply, that to one more `read` included."""
        yield 0, "init_ok", None
        known = set()
        for n in range(1, self.lines + 1):
            if self.kind == "gossip":
                break
            if self.kind == "mixed" and n % MIXED_READ_EVERY == 0:
                yield n, "read_ok", known
            else:
                if self.kind == "mixed":
                    known.add(self.broadcast_value(n))
                yield n, "broadcast_ok", None
        everything = known if self.kind == "mixed" else range(self.value_count)
        yield self.lines + 1, "read_ok", everything


# --- Verification --------------------------------------------------------------------------------


class Wrong(Exception):
    """A node gave a wrong answer."""


def verify(command, stream, stream_file, scratch):
    """Checks every reply. Returns the number of lines that went to peers."""
    if command == WC:
        counted = int(subprocess.check_output([*command, stream_file]).split()[0])
        if counted != stream.lines + 1:
            raise Wrong(f"the stream has {counted} lines")
        return 0
    tail_file = scratch / "tail.jsonl"
    tail_file.write_text(stream.read(stream.lines + 1))
    output_file = scratch / "output.jsonl"
    with output_file.open("wb") as output:
        cat = subprocess.Popen(["cat", stream_file, tail_file], stdout=subprocess.PIPE)
        try:
            node = subprocess.run(
                command, stdin=cat.stdout, stdout=output, timeout=VERIFY_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"still running {VERIFY_TIMEOUT_S} s after its start") from None
        finally:
            cat.stdout.close()
            cat.wait()
    if node.returncode != 0:
        raise Wrong(f"exit status {node.returncode}")

    to_peers = 0
    expected = stream.expected_replies()
    with output_file.open() as output:
        for number, line in enumerate(output, 1):
            try:
                reply = json.loads(line)
                if reply["dest"] in stream.node_ids():
                    to_peers += 1
                    continue
                verify_reply(reply, next(expected, None))
            except (ValueError, KeyError, TypeError) as error:
                raise Wrong(f"output line {number}: {error!r} in {line[:200]!r}") from None
            except Wrong as wrong:
                raise Wrong(f"output line {number}: {wrong}") from None
    output_file.unlink()
    missing = next(expected, None)
    if missing is not None:
        raise Wrong(f"no reply to msg_id {missing[0]}, and no reply after it")
    if to_peers and stream.kind != "gossip":
        raise Wrong(f"{to_peers} lines to peers in a cluster of one")
    return to_peers


def verify_reply(reply, expected):
    if expected is None:
        raise Wrong(f"more replies than requests: {str(reply)[:200]}")
    in_reply_to, kind, values = expected
    body = reply["body"]
    found = (reply["src"], reply["dest"], body["type"], body["in_reply_to"])
    if found != ("n1", "c1", kind, in_reply_to):
        raise Wrong(f"{kind} to msg_id {in_reply_to} expected, found {str(reply)[:200]}")
    if values is not None:
        messages = body["messages"]
        distinct = count_known(messages, values)
        if not len(messages) == len(values) == distinct:
            raise Wrong(
                f"the reply to read {in_reply_to} has {len(messages)} values, of which {distinct} "
                f"are distinct and known; {len(values)} expected"
            )


def count_known(messages, values):
    """How many of `values`, a set or a range from 0, are in `messages`."""
    if isinstance(values, set):
        return len(values.intersection(messages))
    marks = bytearray(len(values))  # ten million values in a set would take a gigabyte
    for value in messages:
        if value in values:
            marks[value] = 1
    return sum(marks)


# --- Measurement ---------------------------------------------------------------------------------


def become_reaper():
    """Lets this process wait for the node when the shell between them has ended. Linux only."""
    pr_set_child_subreaper = 36
    try:
        return ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0
    except (AttributeError, OSError):
        return False


def measure(command, stream_file, is_reaper):
    """One run. Returns (CPU seconds, peak bytes of memory, wall seconds) of the node's process."""
    started = time.monotonic()
    if is_reaper:
        # A process inherits the peak memory of the image that it was forked from. The peak of a shell is 1 MB; that of
        # this interpreter is more than a small node ever needs. So a shell forks the node and ends, and the node
        # becomes a child of this process.
        shell = 'file=$1; shift; cat "$file" | exec "$@" > /dev/null 2>&1 & echo $!'
        pid = int(subprocess.check_output(["/bin/sh", "-c", shell, "sh", stream_file, *command]))
        status, usage = wait_for_all(pid)
    else:
        cat = subprocess.Popen(["cat", stream_file], stdout=subprocess.PIPE)
        null = subprocess.DEVNULL
        node = subprocess.Popen(command, stdin=cat.stdout, stdout=null, stderr=null)
        cat.stdout.close()
        _, status, usage = os.wait4(node.pid, 0)
        node.returncode = status
        cat.wait()
    wall = time.monotonic() - started
    if status != 0:
        raise Wrong(f"wait status {status} in a timed run")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, wall


def wait_for_all(wanted):
    """Waits for the node and for `cat`, which share the two orphans of one run."""
    found = None
    while True:
        try:
            pid, status, usage = os.wait3(0)
        except ChildProcessError:
            break
        if pid == wanted:
            found = status, usage
    if found is None:
        raise Wrong("the shell that started the node did not leave it to us")
    return found


# --- Command line --------------------------------------------------------------------------------


def default_nodes():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    programs = {
        OURS: [target / "rumormill", "--workload", "broadcast"],
        "tuned": [target / "examples" / "tuned_node"],
        "usual": [target / "examples" / "usual_node"],
        "python": [sys.executable, ROOT / "benches" / "baselines" / "node.py"],
        "wc": WC,
    }
    return {
        name: [os.path.relpath(part) if isinstance(part, Path) else part for part in command]
        for name, command in programs.items()
    }


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=positive, default=7, help="rounds that count, after one that does not (7)"
    )
    parser.add_argument(
        "--lines", type=positive, help="lines of bulk and mixed (1,000,000); a tenth in gossip"
    )
    parser.add_argument(
        "--nodes",
        action="append",
        type=named(shlex.split),
        metavar="NAME=COMMAND",
        help="a node to measure, instead of those built in; a bare NAME picks one of these: "
        + ", ".join(default_nodes()),
    )
    parser.add_argument(
        "--lines-for",
        action="append",
        type=named(positive),
        default=[],
        metavar="NAME=LINES",
        help="another number of lines for one node (python=100000, or --lines if that is less)",
    )
    parser.add_argument(
        "--stream", action="append", choices=STREAMS, help="repeatable; all three by default"
    )
    parser.add_argument(
        "--gossip-form",
        choices=("auto", "foreign", "rumormill"),
        default="auto",
        help="auto: rumormill's own to nodes whose name starts so, the plain list to the others",
    )
    parser.add_argument(
        "--first-from",
        type=int,
        default=0,
        help="where the range of the first gossip line starts, in rumormill's form (0)",
    )
    parser.add_argument("--order", choices=("sequential", "scattered"), default="sequential")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    parser.add_argument(
        "--write-stream", choices=STREAMS, help="only print this stream, for use by other tools"
    )
    return parser.parse_args()


def positive(text):
    number = int(text.replace("_", "").replace(",", ""))
    if number < 1:
        raise ValueError
    return number


def named(parse):
    def parse_pair(text):
        name, separator, rest = text.partition("=")
        if not separator and name in default_nodes() and parse is shlex.split:
            return name, default_nodes()[name]
        if not name or not rest:
            raise ValueError
        return name, parse(rest)

    parse_pair.__name__ = "NAME=..."
    return parse_pair


def lines_of(name, stream_kind, options):
    lines = options.lines or 1_000_000
    per_node = {"python": min(lines, 100_000)} | dict(options.lines_for)
    lines = per_node.get(name, lines)
    return max(1, lines // LINES_PER_GOSSIP_LINE) if stream_kind == "gossip" else lines


def gossip_form_of(name, options):
    if options.gossip_form != "auto":
        return options.gossip_form
    return "rumormill" if name.startswith(OURS) else "foreign"


def main():
    options = parse_arguments()
    if options.write_stream:
        form = "foreign" if options.gossip_form == "auto" else options.gossip_form
        lines = options.lines or 1_000_000
        stream = Stream(options.write_stream, lines, form, options.order, options.first_from)
        sys.stdout.writelines(stream.requests())
        return

    nodes = dict(options.nodes) if options.nodes else default_nodes()
    absent = [name for name, command in nodes.items() if shutil.which(command[0]) is None]
    if absent:
        sys.exit(
            f"no such program for: {', '.join(absent)}\n"
            "Build first (cargo build --release --workspace --examples --bins), "
            "or choose with --nodes."
        )
    is_reaper = become_reaper()
    if not is_reaper:
        progress("peak memory below that of this interpreter cannot be seen on this system")

    results = []
    with tempfile.TemporaryDirectory(prefix="whole-process-") as directory:
        for kind in options.stream or STREAMS:
            results += measure_stream(kind, nodes, options, is_reaper, Path(directory))
    print_table(results)
    if options.json:
        write_json(results, nodes, options)


def measure_stream(kind, nodes, options, is_reaper, scratch):
    files = {}
    inputs = {}
    for name, command in nodes.items():
        form = gossip_form_of(name, options) if kind == "gossip" else None
        lines = lines_of(name, kind, options)
        stream = Stream(kind, lines, form, options.order, options.first_from)
        if (lines, form) not in files:
            file = scratch / f"{kind}-{lines}-{form}.jsonl"
            with file.open("w") as out:
                out.writelines(stream.requests())
            files[lines, form] = file
        inputs[name] = files[lines, form]
        try:
            to_peers = verify(command, stream, inputs[name], scratch)
        except Wrong as wrong:
            sys.exit(f"{name}, {kind}: WRONG OUTPUT, nothing measured: {wrong}")
        progress(f"{name}, {kind}: output right" + f", {to_peers} lines to peers" * bool(to_peers))

    samples = {name: [] for name in nodes}
    for run in range(-1, options.runs):
        for name, command in nodes.items():
            try:
                sample = measure(command, inputs[name], is_reaper)
            except Wrong as wrong:
                sys.exit(f"{name}, {kind}: {wrong}")
            if run >= 0:
                samples[name].append(sample)
        progress(f"{kind}: " + (f"round {run + 1} of {options.runs}" if run >= 0 else "warm-up"))

    results = []
    for name in nodes:
        lines = lines_of(name, kind, options)
        micros = [cpu / lines * 1e6 for cpu, _, _ in samples[name]]
        results.append(
            {
                "node": name,
                "stream": kind,
                "lines": lines,
                "bytes_per_line": inputs[name].stat().st_size / (lines + 1),
                "cpu_us_per_line": micros,
                "cpu_us_per_line_median": statistics.median(micros),
                "wall_s": [wall for _, _, wall in samples[name]],
                "peak_rss_bytes": max(peak for _, peak, _ in samples[name]),
            }
        )
    base = next((r for r in results if r["node"] == OURS), results[0])
    for result in results:
        result["ratio_to"] = base["node"]
        result["ratio_to_lines"] = base["lines"]
        result["ratio"] = result["cpu_us_per_line_median"] / base["cpu_us_per_line_median"]
    for file in files.values():
        file.unlink()
    return results


def print_table(results):
    base = results[0]["ratio_to"]
    header = ["node", "stream", "lines", "CPU µs/line", "(min..max)", f"× {base} ", "peak RSS MB"]
    rows = [
        [
            r["node"],
            r["stream"],
            f"{r['lines']:,}",
            f"{r['cpu_us_per_line_median']:.3f}",
            f"({min(r['cpu_us_per_line']):.3f}..{max(r['cpu_us_per_line']):.3f})",
            f"{r['ratio']:.2f}" + " *"[r["lines"] != r["ratio_to_lines"]],
            f"{r['peak_rss_bytes'] / 1e6:.1f}",
        ]
        for r in results
    ]
    widths = [max(len(row[i]) for row in chain([header], rows)) for i in range(len(header))]
    previous = None
    for row in chain([header], rows):
        if row[1] != previous and previous is not None:
            print()
        previous = row[1]
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def write_json(results, nodes, options):
    document = {
        "runs": options.runs,
        "order": options.order,
        "commands": {
            name: shlex.join([Path(command[0]).name, *command[1:]])
            for name, command in nodes.items()
        },
        "results": results,
    }
    options.json.write_text(json.dumps(document, indent=1) + "\n")


def progress(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
