//! Gives the linker the memory map of the board.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    let small = std::env::var_os("CARGO_FEATURE_SMALL").is_some();
    let memory = if small { "memory-small.x" } else { "memory-tiny.x" };
    std::fs::copy(format!("{here}/{memory}"), format!("{out}/memory.x")).expect("the memory map can be copied");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rerun-if-changed=memory-tiny.x");
    println!("cargo:rerun-if-changed=memory-small.x");
    println!("cargo:rerun-if-changed=build.rs");
}
