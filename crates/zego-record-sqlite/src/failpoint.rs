//! Places at which a test can end the process.

/// Ends the process without running any code, if the variable `ZEGO_SQLITE_FAILPOINT` says
/// `name:number` and this place is reached for the `number`th time.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static CHOSEN: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let text = std::env::var("ZEGO_SQLITE_FAILPOINT").ok()?;
        let (name, number) = text.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(number.parse().ok()?)))
    });
    if let Some((chosen, left)) = chosen
        && chosen == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn failpoint(_: &str) {}
