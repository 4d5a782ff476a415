#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    orepass_fuzz::notify::<orepass_zcash::Zcash>(data);
});
