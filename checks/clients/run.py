#!/usr/bin/env python3
"""Sends every request of CLIENTS.md to the release binary and compares the answers with those on the page.

    checks/clients/run.py            compares; the status is 1 when page and binary differ
    checks/clients/run.py --write    writes the answers of the binary into the page

RUMORMILL names another binary than target/release/rumormill.

It compares the blocks marked `client` and the tables of errors. It also checks that the page has every request that the
node knows and every counter of `stats`, and that the table of errors has every error. Times of the clock are compared by
their order of appearance: equal times in the page have to be equal times in the answers.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "CLIENTS.md"
BINARY = os.environ.get("RUMORMILL") or ROOT / "target/release/rumormill"
INIT = '{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}'
BLOCK = re.compile(r"```client\n(.*?)```", re.S)
ERRORS_OF_A_REQUEST = re.compile(r"^\| fields(?: with `(.*)`)? \| code \| text \|\n\|---.*\n((?:\|.*\n)+)", re.M)
ALL_ERRORS = re.compile(r"^\| code \| text \|.*\n\|---.*\n((?:\|.*\n)+)", re.M)
# A time of the clock has ten digits before the point. Times that the page itself gives are smaller.
TIME = re.compile(r'("ts": )(\d{10,}\.\d{6})')


def converse(options, requests):
    """The output of a fresh node. All lines are sent in one write, so that the node reads them at one time."""
    text = "".join(line + "\n" for line in requests)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUMORMILL_")}
    done = subprocess.run(
        [BINARY, "--log", "error", *options], input=text, capture_output=True, text=True, timeout=20, env=environment
    )
    if done.returncode or done.stderr:
        sys.exit(f"status {done.returncode}: {done.stderr}{text}")
    return done.stdout.splitlines()


def by_appearance(lines):
    """The lines with the first time of the clock called T1, the next one T2."""
    names = {}
    return [TIME.sub(lambda found: found[1] + names.setdefault(found[2], f"T{len(names) + 1}"), line) for line in lines]


def body_of(line):
    """The body of a message; an empty one if the line is no message."""
    try:
        body = json.loads(line)["body"]
    except (ValueError, KeyError, TypeError):
        return {}
    return body if isinstance(body, dict) else {}


def is_gossip(line):
    return body_of(line).get("type") in ("gossip", "replicate")


def conversation(block):
    """Runs a block. Returns its lines as they should be."""
    lines = block.splitlines()
    options = lines[0].split()[2:] if lines[0].startswith("$ rumormill") else []
    requests = [line[2:] for line in lines if line.startswith("> ")]
    hidden = [] if '"type":"init"' in block else [INIT]
    answers = converse(options, hidden + requests)[len(hidden) :]
    if not any(line.startswith("< ") and is_gossip(line[2:]) for line in lines):
        answers = [line for line in answers if not is_gossip(line)]
    return lines, requests, answers


def merged(lines, answers):
    """The lines of a block with these answers, each behind its request."""
    kept, left = [], list(answers)
    for line in lines:
        if not line.startswith("< "):
            kept.append(line)
        if line.startswith("> "):
            while left and (is_gossip(left[0]) or body_of(left[0])["in_reply_to"] == body_of(line[2:]).get("msg_id")):
                kept.append("< " + left.pop(0))
    return "".join(line + "\n" for line in kept + ["< " + line for line in left])


def cells(row):
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def code(cell):
    """The text of a cell in backticks. `3 × [X]` is `[X],[X],[X]`."""
    text = cell.strip("`").strip()
    return re.sub(r"(\d+) × (\[.*?\])", lambda found: ",".join([found[2]] * int(found[1])), text)


def known_requests():
    """The names in `Kind`, as the source has them."""
    source = (ROOT / "core/src/wire/names.rs").read_text()
    return set(re.findall(r'= "(\w+)"', re.search(r"pub Kind \{(.*?)\}", source, re.S)[1]))


def main():
    if not pathlib.Path(BINARY).exists():
        sys.exit(f"no binary at {BINARY}: cargo build --release")
    page = PAGE.read_text()
    write = sys.argv[1:] == ["--write"]
    wrong, asked, problems, examples = [], set(), [], 0

    def block(found):
        nonlocal examples
        lines, requests, answers = conversation(found[1])
        examples += len(requests)
        asked.update(body_of(request).get("type") for request in requests)
        problems.extend(body for body in map(body_of, answers) if body["type"] == "error")
        expected = [line[2:] for line in lines if line.startswith("< ")]
        if by_appearance(expected) != by_appearance(answers):
            wrong.append("\n".join(["on the page:", *expected, "from the binary:", *answers]))
            return "```client\n" + merged(lines, answers) + "```"
        return found[0]

    def table(found):
        nonlocal examples
        rows = [cells(row) for row in found[2].splitlines()]
        requests = []
        for number, row in enumerate(rows, 2):
            requests.append(f'{{"src":"c1","dest":"n1","body":{{{code(row[0])},"msg_id":{number}}}}}')
        answers = converse((found[1] or "").split(), [INIT, *requests])[1:]
        examples += len(requests)
        bodies = {body["in_reply_to"]: body for body in map(body_of, answers)}
        text = found[0]
        for number, (row, request) in enumerate(zip(rows, requests), 2):
            body = bodies.get(number, {"type": "no answer"})
            if body["type"] != "error":
                wrong.append(f"no error: {request}\n{body}")
                continue
            problems.append(body)
            if [str(body["code"]), body["text"]] != [row[1], code(row[2])]:
                wrong.append(f"{request}\non the page: {row[1]} {row[2]}\nfrom the binary: {body['code']} {body['text']}")
                text = text.replace(f"| {row[0]} | {row[1]} | {row[2]} |", f"| {row[0]} | {body['code']} | `{body['text']}` |")
        return text

    new = BLOCK.sub(block, page)
    new = ERRORS_OF_A_REQUEST.sub(table, new)
    if write:
        PAGE.write_text(new)
        return
    if missing := known_requests() - asked:
        wrong.append(f"no example of {', '.join(sorted(missing))}")
    if unknown := set(re.findall(r"^### `(\w+)`", page, re.M)) - known_requests():
        wrong.append(f"a section about {', '.join(sorted(unknown))}, which the node does not know")
    stats = re.search(r'"stats": (\{.*?\})', page)
    counters = set(json.loads(stats[1])) if stats else set()
    described = set(re.findall(r"^\| `(\w+)` \|", page[page.find("### `stats`") :], re.M))
    if counters - described or not counters:
        wrong.append(f"counters without a row: {', '.join(sorted(counters - described))}")
    # Words in capitals stand for parts that differ from case to case; FIELD is one name.
    all_errors = ALL_ERRORS.search(page)
    rows = [cells(row) for row in all_errors[1].splitlines()] if all_errors else []
    anything = lambda word: r"\w+" if word[0] == "FIELD" else ".*"
    patterns = [(row[0], re.sub(r"\b[A-Z]{2,}\b", anything, re.escape(code(row[1]))), row) for row in rows]
    fits = lambda body, pattern: str(body["code"]) == pattern[0] and re.fullmatch(pattern[1], body["text"])
    for body in problems:
        if not any(fits(body, pattern) for pattern in patterns):
            wrong.append(f"not in the table of errors: {body['code']} {body['text']}")
    for pattern in patterns:
        if "no example" not in pattern[2][2] and not any(fits(body, pattern) for body in problems):
            wrong.append(f"no example of the error {pattern[2][0]} {pattern[2][1]}")
    if wrong:
        sys.exit("CLIENTS.md and binary differ:\n" + "\n\n".join(wrong))
    print(f"{examples} requests of CLIENTS.md are answered as the page says")


main()
