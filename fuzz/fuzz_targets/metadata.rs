//! Any bytes as metadata, in a file that is whole otherwise, and as the pixels of a mask.
//!
//! The first byte chooses the place.
//!
//! ```sh
//! cargo fuzz run --sanitizer none metadata
//! ```

#![no_main]

#[path = "../../crates/inpaint-photo/tests/common/mod.rs"]
mod common;
#[path = "../../crates/inpaint-photo/tests/common/wrap.rs"]
mod wrap;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [place, data @ ..] = data {
        wrap::exercise_metadata(*place, data);
    }
});
