//! Panics of parts that are not ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a part that belongs to the user; `None` if it panics, which counts as that part having no
/// answer. The panic hook has reported the panic by then.
pub fn catch<T>(part: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(part)) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    // The payload is the part's as well, and may panic when it is dropped, as may what that throws.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(payload);
    }
    None
}
