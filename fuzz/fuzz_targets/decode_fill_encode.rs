//! Any bytes as a photo and its mask: decode, fill, encode, decode again.
//!
//! The first two bytes choose hole, format and options; the rest is the file.
//!
//! ```sh
//! cargo fuzz run --sanitizer none decode_fill_encode
//! ```

#![no_main]

#[path = "../../crates/inpaint-photo/tests/common/exercise.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [high, low, file @ ..] = data {
        exercise::exercise(u16::from_be_bytes([*high, *low]), file);
    }
});
