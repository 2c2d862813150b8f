#!/usr/bin/env python3
"""Checks every page: no line is longer than 100 columns, and every link inside the repository has a target.

    checks/markdown/run.py [PAGE…]          the status is 1 when something is wrong
    checks/markdown/run.py --fix [PAGE…]    breaks the lines of paragraphs, list items and quotes anew
    checks/markdown/run.py --test           tries the rules on samples

Tables, code, definitions of links, headings and comments are not changed, and may be longer. A piece of code in the text
and the target of a link are never broken, so each of them may be longer than a line. Words are not changed.
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WIDTH = 100

FENCE = re.compile(r"\s*(```|~~~)")
QUOTE = re.compile(r"\s{0,3}> ?")
BULLET = re.compile(r"(\s*)([-*+]) +(?=\S)")
NUMBER = re.compile(r"(\s*)(\d{1,9})([.)]) +(?=\S)")
DEFINITION = re.compile(r"\s{0,3}\[[^\]]+\]:\s")
RULE = re.compile(r"\s{0,3}([-*_=])(\s*\1){2,}\s*$")
# Pieces that are not broken: code, and the text between a link and its target.
WORD = re.compile(r"(?:(`+)(?:(?!\1).)*?\1|\S)+", re.S)
# A unit stays on the line of its number.
UNIT = re.compile(r"(s|ms|µs|ns|%|min|h|bytes|[kKMG]i?B)[.,;:)]*$")
# Words that would be markup at the beginning of a line.
MARKUP = re.compile(r"([-*+]|\d{1,9}[.)]|#{1,6}|>.*|\|.*|<.*|=+|-{2,}|~~~.*|```.*)$")


def is_verbatim(line):
    """Whether a line is not part of a paragraph: heading, row of a table, definition, rule, comment."""
    start = line.lstrip()
    return start.startswith(("#", "|", "<!--")) or bool(DEFINITION.match(line) or RULE.match(line))


def is_item(line, in_numbers):
    """Whether a line begins an item of a list. A number other than 1 does so only where there are numbers already."""
    number = NUMBER.match(line)
    return bool(BULLET.match(line)) or bool(number and (in_numbers or number[2] == "1"))


def words(text):
    """The words of a paragraph. A unit stays with its number, and a word that would be markup with the word before it."""
    found = []
    for word in (" ".join(match[0].split()) if "`" in match[0] else match[0] for match in WORD.finditer(text)):
        if found and (MARKUP.match(word) or UNIT.match(word) and found[-1][-1].isdigit()):
            found[-1] += " " + word
        else:
            found.append(word)
    return found


def filled(text, first, rest):
    """The lines of a paragraph, as few as possible."""
    lines, line = [], first
    for word in words(text):
        if line.strip() and len(line) > len(first if not lines else rest) and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = rest
        separator = "" if len(line) == len(first if not lines else rest) else " "
        line += separator + word
    return lines + [line]


def blocks(lines):
    """Pairs of a kind, `verbatim` or `text`, and the lines. The first line of a text shows its indentation."""
    at, in_numbers, in_list = 0, False, False
    while at < len(lines):
        line = lines[at]
        start = at
        at += 1
        if FENCE.match(line):
            fence = FENCE.match(line)[1]
            while at < len(lines) and lines[at].strip() != fence:
                at += 1
            at += 1
            yield "verbatim", lines[start:at]
            continue
        if "<!--" in line and "-->" not in line:
            while at < len(lines) and "-->" not in lines[at]:
                at += 1
            at += 1
            yield "verbatim", lines[start:at]
            continue
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            in_list = is_item(line, True)
        if not line.strip() or is_verbatim(line) or QUOTE.match(line) or (indent >= 4 and not in_list):
            # A quote is treated like a page of its own.
            if QUOTE.match(line):
                while at < len(lines) and QUOTE.match(lines[at]):
                    at += 1
                yield "quote", lines[start:at]
            else:
                yield "verbatim", [line]
            continue
        in_numbers = bool(NUMBER.match(line))
        while at < len(lines):
            following = lines[at]
            ends = not following.strip() or is_verbatim(following) or is_item(following, in_numbers)
            if ends or FENCE.match(following) or QUOTE.match(following) or lines[at - 1].endswith(("  ", "\\")):
                break
            at += 1
        yield "text", lines[start:at]


def fix(lines):
    """The lines of a page, with the lines of its texts broken anew."""
    fixed = []
    for kind, block in blocks(lines):
        if kind == "verbatim":
            fixed += block
        elif kind == "quote":
            inner = fix([QUOTE.sub("", line, count=1) for line in block])
            fixed += [("> " + line).rstrip() for line in inner]
        else:
            item = BULLET.match(block[0]) or NUMBER.match(block[0])
            first = item[0] if item else re.match(r"\s*", block[0])[0]
            text = "\n".join(block)[len(first) :]
            end = "  " if block[-1].endswith("  ") else ""
            broken = filled(text, first, " " * len(first))
            fixed += [*broken[:-1], broken[-1] + end]
    return fixed


def too_long(lines):
    """Numbers of the lines that are too long and could be broken."""
    number = 0
    for kind, block in blocks(lines):
        for line in block:
            number += 1
            if kind != "verbatim" and len(line) > WIDTH:
                item = QUOTE.match(line) or BULLET.match(line) or NUMBER.match(line)
                if len(words(line[item.end() if item else 0 :])) > 1:
                    yield number


def without_code(text):
    text = re.sub(r"^\s*(```|~~~).*?^\s*\1\s*$", "", text, flags=re.S | re.M)
    return re.sub(r"(`+)(?:(?!\1).)+?\1", "", text, flags=re.S)


def anchors(page):
    """The names that the headings of a page have as targets."""
    names = {}
    text = re.sub(r"^\s*(```|~~~).*?^\s*\1\s*$", "", page.read_text(), flags=re.S | re.M)
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", text, re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names[name] = names.get(name, -1) + 1
        if names[name]:
            names[f"{name}-{names[name]}"] = 0
    return names


def dead_links(page):
    """The links of a page whose targets do not exist."""
    text = without_code(page.read_text())
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", text) + re.findall(r"^\s{0,3}\[[^\]]+\]:\s+(\S+)", text, re.M)
    for target in targets:
        if re.match(r"[a-z][a-z0-9+.-]*:", target, re.I):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists():
            yield target
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            yield target


def pages():
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in ("target", "results") and not name.startswith("."))
        yield from (pathlib.Path(folder) / name for name in sorted(files) if name.endswith(".md"))


SAMPLES = [
    ("a text that is short\nis joined", "a text that is short is joined"),
    ("- an item\n  goes on\n- another\nlazily", "- an item goes on\n- another lazily"),
    ("- an item\n  - inside\n    of it\n\n  its second text\n  goes on", "- an item\n  - inside of it\n\n  its second text goes on"),
    ("1. one\n2. two\n   and more", "1. one\n2. two and more"),
    ("since\n1970. Then", "since 1970. Then"),
    ("> quoted\n> text\n>\n> - item", "> quoted text\n>\n> - item"),
    ("| a | b |\n|---|---|\n| c |\nd", "| a | b |\n|---|---|\n| c |\nd"),
    ("text\n```sh\na\nb\n```\ntext\nmore", "text\n```sh\na\nb\n```\ntext more"),
    ("text\n# heading\ntext", "text\n# heading\ntext"),
    ("[a]: b\n[c]: d", "[a]: b\n[c]: d"),
    ("<!-- a\nb -->\nc\nd", "<!-- a\nb -->\nc d"),
    ("text\n\n    code\n    code", "text\n\n    code\n    code"),
    ("hard break  \nnext\nline", "hard break  \nnext line"),
    ("x" * 98 + " - y", "x" * 98 + " -\ny"),
    ("x" * 95 + " `a b c` d", "x" * 95 + "\n`a b c` d"),
    ("- " + "x" * 95 + " y z", "- " + "x" * 95 + " y\n  z"),
    ("x" * 98 + "\n1. y", "x" * 98 + "\n1. y"),
    ("x" * 98 + " 5. y", "x" * 98 + " 5.\ny"),
    ("x" * 94 + " 2.1 ms, y", "x" * 94 + "\n2.1 ms, y"),
]


def test():
    for before, after in SAMPLES:
        fixed = "\n".join(fix(before.split("\n")))
        if fixed != after or "\n".join(fix(fixed.split("\n"))) != after:
            sys.exit(f"{before!r}\nbecomes {fixed!r}\nand not  {after!r}")


def main():
    arguments = sys.argv[1:]
    test()
    if arguments == ["--test"]:
        return
    fixing = "--fix" in arguments
    chosen = [pathlib.Path(name).resolve() for name in arguments if name != "--fix"] or list(pages())
    wrong = []
    for page in chosen:
        text = page.read_text()
        lines = text.rstrip("\n").split("\n")
        if fixing:
            lines = fix(lines)
            if "\n".join(lines) + "\n" != text:
                page.write_text("\n".join(lines) + "\n")
        name = os.path.relpath(page, ROOT)
        wrong += [f"{name}:{number}: longer than {WIDTH} columns" for number in too_long(lines)]
        wrong += [f"{name}: there is no {target}" for target in dead_links(page)]
    if wrong:
        sys.exit("\n".join([*wrong, "checks/markdown/run.py --fix breaks long lines anew"]))
    print(f"{len(chosen)} pages: lines of at most {WIDTH} columns, links with targets")


main()
