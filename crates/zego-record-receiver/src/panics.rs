//! Panics of parts that are not ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a part that belongs to the user; `None` if it panics, which counts as that part having no
/// answer. The panic hook has reported the panic by then.
pub(crate) fn catch<T>(part: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(part)).ok()
}
