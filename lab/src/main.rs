//! `rumormill-lab`.

fn main() -> std::process::ExitCode {
    rumormill_lab::cli::main()
}
