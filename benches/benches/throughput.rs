//! Placeholder until the first benchmark stands.
fn main() {}
