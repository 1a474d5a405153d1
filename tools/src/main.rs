//! The `quoit` binary.

/// Each core's thread has an arena of its own, statistics tell what the process holds, and what is freed goes back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    quoit_tools::cli::main()
}
