//! `scripts/fuzz storage`

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::targets::storage::run(input));
