//! `scripts/fuzz engine`

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::targets::engine::run(input));
