#!/usr/bin/env python3
"""Baseline "python": a broadcast node as tutorials write it in Python.

Each line goes through json.loads, each reply through json.dumps and a flushed print. It is not a
cluster member: it merges `gossip` from peers but sends none, takes integers only, and bounds
nothing. A line it does not understand is logged and skipped.
"""

import json
import sys


class Node:
    def __init__(self):
        self.node_id = None
        self.neighbours = []
        self.messages = set()
        self.next_msg_id = 0

    def handle(self, request):
        body = request["body"]
        kind = body["type"]
        if kind == "init":
            self.node_id = body["node_id"]
            self.reply(request, {"type": "init_ok"})
        elif kind == "topology":
            self.neighbours = body["topology"].get(self.node_id, [])
            self.reply(request, {"type": "topology_ok"})
        elif kind == "echo":
            self.reply(request, {"type": "echo_ok", "echo": body["echo"]})
        elif kind == "broadcast":
            self.messages.add(body["message"])
            self.reply(request, {"type": "broadcast_ok"})
        elif kind == "read":
            self.reply(request, {"type": "read_ok", "messages": list(self.messages)})
        elif kind == "gossip":
            self.messages.update(body["messages"])
        elif "in_reply_to" not in body:
            self.reply(request, {"type": "error", "code": 10, "text": f"unknown type {kind}"})

    def reply(self, request, body):
        body["in_reply_to"] = request["body"]["msg_id"]
        body["msg_id"] = self.next_msg_id
        self.next_msg_id += 1
        reply = {"src": self.node_id, "dest": request["src"], "body": body}
        print(json.dumps(reply), flush=True)


def main():
    node = Node()
    for line in sys.stdin:
        try:
            node.handle(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"line skipped: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    main()
