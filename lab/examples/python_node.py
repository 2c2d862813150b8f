#!/usr/bin/env python3
"""A node for broadcast: every new value goes on to all neighbours, and comes back from none."""
import json
import sys

node_id, neighbours, values = None, [], []


def send(dest, body):
    print(json.dumps({"src": node_id, "dest": dest, "body": body}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    sender, body = message["src"], message["body"]
    kind, answer = body["type"], {"type": body["type"] + "_ok", "in_reply_to": body.get("msg_id")}
    if kind == "init":
        node_id = body["node_id"]
        send(sender, answer)
    elif kind == "topology":
        neighbours = body["topology"].get(node_id, [])
        send(sender, answer)
    elif kind == "read":
        send(sender, {**answer, "messages": values})
    elif kind in ("broadcast", "spread"):
        if body["message"] not in values:
            values.append(body["message"])
            for neighbour in neighbours:
                if neighbour != sender:
                    send(neighbour, {"type": "spread", "message": body["message"]})
        if kind == "broadcast":
            send(sender, answer)
    elif "in_reply_to" not in body:
        send(sender, {"type": "error", "code": 10, "text": "unknown type " + kind, "in_reply_to": body.get("msg_id")})
