//! `scripts/fuzz plugin`

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::targets::plugin::run(input));
