#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wakeline_fuzz::platform_assets(data));
