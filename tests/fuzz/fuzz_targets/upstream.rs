//! `scripts/fuzz upstream`

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::targets::upstream::run(input));
