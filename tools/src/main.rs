//! The `quoit` binary.

fn main() -> std::process::ExitCode {
    quoit_tools::cli::main()
}
