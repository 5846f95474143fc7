//! The few bytes that mean something among the many that do not.

/// Where the first of two bytes is. A body is nearly all plain text, and eight bytes at a time halve the
/// cost of passing over it.
#[inline]
pub(super) fn either(one: u8, other: u8, bytes: &[u8]) -> Option<usize> {
    let (eights, rest) = bytes.as_chunks();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let found = (equal(one, eight) | equal(other, eight)) & u64::from_le_bytes([0x80; 8]);
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest
        .iter()
        .position(|byte| *byte == one || *byte == other)?;
    Some(8 * eights.len() + at)
}

/// Sets the highest bit of each byte that equals `byte`. The subtraction may borrow and set it in bytes
/// above such a one as well, but never below, so that the lowest is right.
const fn equal(byte: u8, eight: u64) -> u64 {
    let difference = eight ^ u64::from_le_bytes([byte; 8]);
    difference.wrapping_sub(u64::from_le_bytes([0x01; 8])) & !difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_at_every_place_or_is_not() {
        for byte in 0..=u8::MAX {
            let is_one = matches!(byte, b'"' | b'\\');
            for length in 1..20 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let expected = is_one.then_some(at);
                    assert_eq!(either(b'"', b'\\', &bytes), expected, "{bytes:?}");
                    // These are marked as well when the subtraction borrows.
                    bytes[at + 1..].fill(b'"' ^ 1);
                    assert_eq!(either(b'"', b'\\', &bytes), expected, "{bytes:?}");
                }
            }
        }
    }
}
