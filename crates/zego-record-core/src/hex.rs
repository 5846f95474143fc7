//! Hexadecimal digits, in upper and lower case.

/// The byte that two digits stand for.
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// The value of a digit. It is looked up, since a processor cannot guess whether the next digit of a
/// signature will be a letter.
pub(crate) fn digit(digit: u8) -> Option<u8> {
    let value = VALUES[usize::from(digit)];
    (value != NONE).then_some(value)
}

const NONE: u8 = u8::MAX;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for byte in 0..=u8::MAX {
            let usual = char::from(byte).to_digit(16);
            assert_eq!(digit(byte).map(u32::from), usual, "{byte}");
        }
        assert_eq!(byte(b'f', b'0'), Some(0xf0));
        assert_eq!((byte(b'g', b'0'), byte(b'0', b'g')), (None, None));
    }
}
