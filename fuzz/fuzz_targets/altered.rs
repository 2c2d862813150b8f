//! The messages of one node are altered on their way to a second one. Then both talk undisturbed.
//!
//! ```text
//! cargo +nightly fuzz run altered -- -dict=fuzz/dict -max_total_time=300
//! ```
//!
//! The input is a script, one step per line; `src/altered/script.rs` says how it is read, and the head of
//! [`rumormill_fuzz::altered`] what has to hold. `corpus/altered` holds one script for each kind of lie. To replay it
//! with the stable compiler and without `libFuzzer`:
//!
//! ```text
//! cargo test --manifest-path fuzz/Cargo.toml --no-default-features --lib
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rumormill_fuzz::altered::check(data));
