#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(|input: &[u8]| zego_record_fuzz::checks::stored::check(input));
