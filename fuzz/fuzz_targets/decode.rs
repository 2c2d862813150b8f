//! Compares the decoder of lines with `serde_json`, and the predictor with the decoder.
//!
//! ```text
//! cargo +nightly fuzz run decode -- -dict=fuzz/dict -max_total_time=240
//! ```
//!
//! The input is text. Each of its lines is decoded, and then all of it as one line. `corpus/decode` holds lines of
//! every kind. To replay it with the stable compiler and without `libFuzzer`, in a second:
//!
//! ```text
//! cargo test --manifest-path fuzz/Cargo.toml --no-default-features --lib
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rumormill_fuzz::decode::check(data));
