//! `rumormill-lab`.

fn main() {}
