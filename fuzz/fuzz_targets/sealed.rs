//! Glue of [`phalanx_fuzz::sealed`]: libFuzzer's under cargo-fuzz, else a program that replays files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| phalanx_fuzz::sealed(data));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    phalanx_fuzz::replay(phalanx_fuzz::sealed)
}
