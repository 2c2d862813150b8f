//! Baseline "tuned": a broadcast node with serde_json that is written for speed.
//!
//! It owns the set of one node and the two buffers around it. It is a fair comparison for `rumormill`: requests are
//! decoded into a borrowed struct, stdin is read in blocks, and all replies to one block leave in one write. A
//! `broadcast` allocates only when the set grows.
//!
//! It is not a cluster member. It merges `gossip` from peers but sends none, takes integers only,
//! bounds nothing, and answers before `init` as well as after it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A pipe on Linux holds 64 KiB, so a larger block would not be filled by one read.
const READ_BLOCK: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut stdout = io::stdout().lock();
    let mut node = Node::default();
    let mut input = vec![0; READ_BLOCK];
    let mut filled = 0;
    let mut output = Vec::with_capacity(READ_BLOCK);

    loop {
        if filled == input.len() {
            input.resize(2 * filled, 0); // one line is longer than the buffer
        }
        let count = stdin.read(&mut input[filled..])?;
        let batch_start = filled;
        filled += count;

        // The rest of the last batch has no newline, so the search starts after it.
        let mut line_start = 0;
        let mut searched = batch_start;
        while let Some(newline) = find_newline(&input[searched..filled]) {
            let line_end = searched + newline;
            node.handle_line(&input[line_start..line_end], &mut output)?;
            line_start = line_end + 1;
            searched = line_start;
        }
        if count == 0 && line_start < filled {
            node.handle_line(&input[line_start..filled], &mut output)?;
        }

        stdout.write_all(&output)?;
        stdout.flush()?;
        output.clear();
        if count == 0 {
            return Ok(());
        }
        input.copy_within(line_start..filled, 0);
        filled -= line_start;
    }
}

#[derive(Default)]
struct Node {
    seen: HashSet<i64>,
    values: Vec<i64>,
    next_msg_id: u64,
}

impl Node {
    fn handle_line(&mut self, line: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        // To check the UTF-8 of the whole line once is cheaper than to check each key and string in `from_slice`.
        let Ok(line) = str::from_utf8(line) else {
            eprintln!("line skipped: not UTF-8");
            return Ok(());
        };
        let request: Message<'_> = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => {
                eprintln!("line skipped: {error}");
                return Ok(());
            }
        };
        let body = &request.body;

        if body.kind == "gossip" {
            for &value in body.messages.iter().flatten() {
                self.insert(value);
            }
            return Ok(());
        }
        // A reply is never answered, and without an id there is nothing to reply to.
        let (Some(in_reply_to), None) = (body.msg_id, body.in_reply_to) else {
            return Ok(());
        };

        let mut reply = ReplyBody { in_reply_to, msg_id: self.next_msg_id, ..ReplyBody::default() };
        match (&*body.kind, body.message) {
            ("broadcast", Some(value)) => {
                self.insert(value);
                reply.kind = "broadcast_ok";
            }
            ("broadcast", None) => {
                reply.kind = "error";
                reply.code = Some(12);
                reply.text = Some("message is missing");
            }
            ("read", _) => {
                reply.kind = "read_ok";
                reply.messages = Some(&self.values);
            }
            ("echo", _) => {
                reply.kind = "echo_ok";
                reply.echo = body.echo.as_ref();
            }
            ("init", _) => reply.kind = "init_ok",
            ("topology", _) => reply.kind = "topology_ok",
            (unknown, _) => {
                reply.kind = "error";
                reply.code = Some(10);
                reply.text = Some(unknown);
            }
        }
        let reply = Reply { src: &request.dest, dest: &request.src, body: reply };
        serde_json::to_writer(&mut *output, &reply)?;
        output.push(b'\n');
        self.next_msg_id += 1;
        Ok(())
    }

    fn insert(&mut self, value: i64) {
        if self.seen.insert(value) {
            self.values.push(value);
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    src: Cow<'a, str>,
    #[serde(borrow)]
    dest: Cow<'a, str>,
    #[serde(borrow)]
    body: Body<'a>,
}

/// Every field of every request. A flat struct is decoded in one pass, a tagged enum in two.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    msg_id: Option<u64>,
    in_reply_to: Option<u64>,
    message: Option<i64>,
    messages: Option<Vec<i64>>,
    echo: Option<Value>,
}

#[derive(Serialize)]
struct Reply<'a> {
    src: &'a str,
    dest: &'a str,
    body: ReplyBody<'a>,
}

#[derive(Default, Serialize)]
struct ReplyBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<&'a [i64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    in_reply_to: u64,
    msg_id: u64,
}

/// The offset of the first newline. `skip_until` is the only public way to the fast search of the standard library.
fn find_newline(mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    let length = bytes.skip_until(b'\n').ok()?;
    let last = length.checked_sub(1)?;
    (all[last] == b'\n').then_some(last)
}
