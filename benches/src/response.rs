//! The only answer that counts.

/// Whether the answer `1` with status 200 is there as a whole.
///
/// # Panics
///
/// If it is another answer.
pub fn is_complete(received: &[u8]) -> bool {
    const SUCCESS: &[u8] = b"HTTP/1.1 200 OK\r\n";
    let begin = &received[..received.len().min(SUCCESS.len())];
    assert!(
        SUCCESS.starts_with(begin),
        "not the answer that was expected: {}",
        String::from_utf8_lossy(received)
    );
    received.ends_with(b"\r\n\r\n1")
}
