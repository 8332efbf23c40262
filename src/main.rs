//! The `panelgate` binary: everything is in the library.

use std::process::ExitCode;

/// What one thread makes and another gives back, as the journal does with every request, is slow in glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panelgate::cli::run()
}
