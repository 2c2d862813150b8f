//! Nodes with arbitrary lines, arbitrary gossip and arbitrary times.
//!
//! ```text
//! cargo +nightly fuzz run node -- -dict=fuzz/dict -max_total_time=240
//! ```
//!
//! The input is a script, one step per line; [`rumormill_fuzz::script`] says how it is read and
//! [`rumormill_fuzz::node`] what has to hold. `corpus/node` holds scripts that a person can read. To replay it with the
//! stable compiler and without `libFuzzer`:
//!
//! ```text
//! cargo test --manifest-path fuzz/Cargo.toml --no-default-features --lib
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rumormill_fuzz::node::check(data));
