//! The decoder of lines beside `serde_json`, and the predictor beside the decoder.
//!
//! ```text
//! cargo +nightly fuzz run decode -- -dict=fuzz/dict -max_total_time=240
//! ```
//!
//! The input is text: each of its lines is decoded, and all of it as one line too. `corpus/decode` holds lines of every
//! kind. To replay it with the stable compiler and without `libFuzzer`, in a second:
//!
//! ```text
//! cargo test --manifest-path fuzz/Cargo.toml --no-default-features --lib
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rumormill_fuzz::decode::check(data));
