//! Glue of [`phalanx_fuzz::flows_netflow`]: libFuzzer's under cargo-fuzz, else a program that replays files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| phalanx_fuzz::flows_netflow(data));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    phalanx_fuzz::replay(phalanx_fuzz::flows_netflow)
}
