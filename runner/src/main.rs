//! The `runner` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    phalanx_runner::cli::main()
}
