//! The wrong forms of a secret and of the two signed texts.

use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::mistakes::Variant;
use crate::secrets::Secret;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The two texts that are signed along with the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) timestamp: String,
    pub(super) nonce: String,
}

type Bytes = Zeroizing<Vec<u8>>;

pub(super) fn secret_variants(configured: &[Secret], others: &[Secret]) -> Vec<Variant<Bytes>> {
    let mut variants = Vec::new();
    for secret in configured {
        variants.push(Variant::right(bytes(secret.text())));
    }
    for secret in others {
        variants.push(Variant::wrong(
            bytes(secret.text()),
            "other_secret",
            format!("the signature was made with {}", secret.name()),
            "configure the project's CallbackSecret on both sides: it is neither the ServerSecret nor the AppSign",
        ));
    }
    for secret in configured.iter().chain(others) {
        add_changed(secret, &mut variants);
    }
    variants
}

fn add_changed(secret: &Secret, variants: &mut Vec<Variant<Bytes>>) {
    let (name, text) = (secret.name(), secret.text());
    let mut add = |changed: &str, mistake, how: &str, fix| {
        if changed != text && !changed.is_empty() {
            let what = format!("the signature was made with {name} {how}");
            variants.push(Variant::wrong(bytes(changed), mistake, what, fix));
        }
    };

    let trim = "remove the white space around the secret, a line break is often copied along";
    add(
        text.trim(),
        "secret_white_space",
        "without the white space around it",
        trim,
    );
    for (end, how) in [
        ("\n", "and a line break after it"),
        ("\r\n", "and a line break after it"),
        (" ", "and a space after it"),
    ] {
        let longer = Zeroizing::new(format!("{text}{end}"));
        add(&longer, "secret_white_space", how, trim);
    }

    let quotes =
        "remove the quotes around the secret, they belong to the shell or to the file format";
    add(
        text.trim_matches(['"', '\'']),
        "secret_quotes",
        "without the quotes around it",
        quotes,
    );
    for quote in ['"', '\''] {
        let quoted = Zeroizing::new(format!("{quote}{text}{quote}"));
        add(&quoted, "secret_quotes", "in quotes", quotes);
    }

    let case = "copy the secret from the ZEGOCLOUD console as it is, upper and lower case matter";
    let upper = Zeroizing::new(text.to_uppercase());
    add(&upper, "secret_case", "in upper case", case);
    let lower = Zeroizing::new(text.to_lowercase());
    add(&lower, "secret_case", "in lower case", case);

    let half = text.get(..text.len() / 2).unwrap_or_default();
    let twice = Zeroizing::new(format!("{half}{half}"));
    if !half.is_empty() && twice.as_str() == text {
        add(
            half,
            "secret_twice",
            "once, and it holds the secret twice",
            "configure the secret once: it was pasted twice",
        );
    } else {
        add(
            half,
            "secret_half",
            "cut to its first half",
            "copy the whole CallbackSecret from the ZEGOCLOUD console; half an AppSign is none",
        );
    }

    let bom = "save the secret without a byte order mark, or set it in the environment";
    add(
        text.trim_start_matches('\u{feff}'),
        "secret_byte_order_mark",
        "without the byte order mark before it",
        bom,
    );
    let marked = Zeroizing::new(format!("\u{feff}{text}"));
    add(
        &marked,
        "secret_byte_order_mark",
        "and a byte order mark before it",
        bom,
    );
    for (before, how) in [
        (" ", "and a space before it"),
        ("\t", "and a tab before it"),
    ] {
        let longer = Zeroizing::new(format!("{before}{text}"));
        add(&longer, "secret_white_space", how, trim);
    }
    if let Some((_, value)) = text.split_once('=') {
        add(
            value.trim_matches(['"', '\'']),
            "secret_assignment",
            "without the NAME= before it",
            "configure the value alone, not the line NAME=value",
        );
    }
    let as_is = "sign the secret as the console shows it, neither encoded nor hashed";
    let hex = Zeroizing::new(hex::encode(text));
    add(&hex, "secret_encoded", "in hexadecimal", as_is);
    let base64 = Zeroizing::new(encode_base64(text.as_bytes()));
    add(&base64, "secret_encoded", "in Base64", as_is);
    let md5 = Zeroizing::new(hex::encode(Md5::digest(text)));
    add(&md5, "secret_hashed", "as its MD5", as_is);
    let twice = Zeroizing::new(format!("{text}{text}"));
    add(
        &twice,
        "secret_twice",
        "twice in a row",
        "sign the secret once: it was pasted twice",
    );

    let encoding =
        "decode the secret once, or don't encode it: it is signed as the console shows it";
    let encoded = Zeroizing::new(percent_encode(text));
    add(
        &encoded,
        "secret_percent_encoded",
        "percent-encoded",
        encoding,
    );
    if let Some(decoded) = percent_decode(text).map(Zeroizing::new) {
        add(
            &decoded,
            "secret_percent_encoded",
            "percent-decoded",
            encoding,
        );
    }
    if let Ok(decoded) = hex::decode(text) {
        variants.push(Variant::wrong(
            Zeroizing::new(decoded),
            "secret_hex_decoded",
            format!("the signature was made with the bytes that the digits of {name} stand for"),
            "sign with the secret's text, and not with what its hexadecimal digits stand for",
        ));
    }
}

pub(super) fn text_variants(timestamp: &str, nonce: &str) -> Vec<Variant<Texts>> {
    let texts = |timestamp: &str, nonce: &str| Texts {
        timestamp: timestamp.to_owned(),
        nonce: nonce.to_owned(),
    };
    let mut variants = vec![Variant::right(texts(timestamp, nonce))];
    let mut add = |changed: Texts, name, what: String, fix| {
        if changed.timestamp != timestamp || changed.nonce != nonce {
            variants.push(Variant::wrong(changed, name, what, fix));
        }
    };

    for missing in ["undefined", "None", "null", "nil", ""] {
        let what = format!(
            "timestamp and nonce were signed as {missing:?}: they were not read from the body"
        );
        let fix = "read the body in the form in which it comes: a form is not JSON, and JSON is not a form";
        add(texts(missing, missing), "fields_not_read", what, fix);
    }

    let milliseconds = format!("{timestamp}000");
    add(
        texts(&milliseconds, nonce),
        "milliseconds",
        format!("the timestamp was signed in milliseconds, as {milliseconds}"),
        "sign the timestamp in seconds, ten digits, exactly as it is sent",
    );
    if let Some(seconds) = timestamp.get(..10).filter(|_| timestamp.len() == 13) {
        add(
            texts(seconds, nonce),
            "milliseconds",
            "the timestamp is sent in milliseconds and was signed in seconds".to_owned(),
            "send the timestamp in seconds, ten digits, exactly as it is signed",
        );
    }

    let numbers = "keep timestamp and nonce as texts from the wire to the digest, never as floating-point numbers";
    let times = number_forms(timestamp);
    let nonces = number_forms(nonce);
    for time in &times {
        let what = format!("the timestamp was signed as {time}");
        add(texts(time, nonce), "number_format", what, numbers);
    }
    for number in &nonces {
        let what = format!("the nonce was signed as {number}");
        add(texts(timestamp, number), "number_format", what, numbers);
    }
    for (time, number) in times.iter().zip(&nonces) {
        let what = format!("timestamp and nonce were signed as {time} and {number}");
        add(texts(time, number), "number_format", what, numbers);
    }

    let encoding =
        "sign the decoded texts: decode a form once before anything else is done with it";
    let encoded = texts(&percent_encode(timestamp), &percent_encode(nonce));
    let what = "timestamp and nonce were signed while still percent-encoded".to_owned();
    add(encoded, "percent_encoded", what, encoding);
    if let (Some(timestamp), Some(nonce)) = (percent_decode(timestamp), percent_decode(nonce)) {
        let what =
            "timestamp and nonce are sent percent-encoded and were signed decoded".to_owned();
        add(texts(&timestamp, &nonce), "percent_encoded", what, encoding);
    }
    variants
}

/// How a number looks after a floating-point type in one of the usual languages has printed it. Each
/// text has the same forms in the same order, so that two can be paired. What is a floating-point
/// number already has one more form: its digits.
fn number_forms(text: &str) -> Vec<String> {
    let Ok(number) = text.parse::<f64>() else {
        return Vec::new();
    };
    if !number.is_finite() || number < 0.0 {
        return Vec::new();
    }
    // Rust prints the fewest digits that read back as the same number, as those languages do.
    let shortest = format!("{number:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let with_point = if mantissa.contains('.') {
        mantissa.to_owned()
    } else {
        format!("{mantissa}.0")
    };
    let six_digits = format!("{number:.5e}");
    let (short, short_exponent) = six_digits.split_once('e').unwrap_or((&six_digits, "0"));
    let short = short.trim_end_matches('0').trim_end_matches('.');
    vec![
        format!("{number}.0"),
        format!("{number}.000000"),
        format!("{mantissa}e+{exponent:0>2}"),
        format!("{mantissa}e{exponent}"),
        format!("{with_point}E+{exponent}"),
        format!("{with_point}E{exponent}"),
        format!("{short}e+{short_exponent:0>2}"),
        format!("{number}"),
        format!("{number:.0}"),
    ]
}

/// What is wrong with texts that are signed but not in the syntax that a receiver insists on.
pub(super) fn syntax_mistakes(timestamp: &str, nonce: &str) -> Vec<super::mistakes::Mistake> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let texts = Texts {
        timestamp: timestamp.to_owned(),
        nonce: nonce.to_owned(),
    };
    let found = if timestamp.len() == 13 && digits(timestamp) {
        Variant::wrong(
            texts,
            "milliseconds",
            "the timestamp is in milliseconds",
            "sign and send the timestamp in seconds, ten digits",
        )
    } else if timestamp.contains('%') || nonce.contains('%') {
        Variant::wrong(
            texts,
            "percent_encoded",
            "timestamp or nonce is still percent-encoded",
            "decode the fields once before they are put into the body",
        )
    } else if !digits(timestamp) && timestamp.parse::<f64>().is_ok() {
        Variant::wrong(
            texts,
            "number_format",
            "the timestamp was written as a floating-point number",
            "keep the timestamp as text or as an integer, never as a floating-point number",
        )
    } else if nonce.len() == 10 && digits(nonce) && timestamp.len() != 10 {
        Variant::wrong(
            texts,
            "swapped",
            "timestamp and nonce are swapped: the nonce looks like a time, the timestamp does not",
            "send the time as timestamp and the random text as nonce; sorting hides the mistake from the signature",
        )
    } else {
        return Vec::new();
    };
    found.mistake.into_iter().collect()
}

fn bytes(text: &str) -> Bytes {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for position in 0..4 {
            if position > chunk.len() {
                encoded.push('=');
            } else {
                encoded.push(char::from(ALPHABET[(bits >> (18 - 6 * position)) & 63]));
            }
        }
    }
    encoded
}

fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// `None` if there is nothing to decode, or nothing that can be.
fn percent_decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (decoded != text).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_other_languages_print_them() {
        // Python, C and C++ with six decimals, Go, JavaScript, PHP, Java, C and C++ by default.
        for (text, expected) in [
            (
                "1760001893",
                [
                    "1760001893.0",
                    "1760001893.000000",
                    "1.760001893e+09",
                    "1.760001893e9",
                    "1.760001893E+9",
                    "1.760001893E9",
                    "1.76e+09",
                ],
            ),
            (
                "5285890813218549789",
                [
                    "5285890813218550000.0",
                    "5285890813218550000.000000",
                    "5.28589081321855e+18",
                    "5.28589081321855e18",
                    "5.28589081321855E+18",
                    "5.28589081321855E18",
                    "5.28589e+18",
                ],
            ),
        ] {
            assert_eq!(number_forms(text)[..7], expected, "{text}");
        }
        assert!(number_forms("1.760001893e+09").contains(&"1760001893".to_owned()));
        assert!(number_forms("5285890813218549789").contains(&"5285890813218550000".to_owned()));
        assert!(number_forms("5285890813218549789").contains(&"5285890813218549760".to_owned()));
        for text in ["", "abc", "NaN", "inf", "-1", "1e400"] {
            assert!(number_forms(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn percent_encoding_goes_both_ways() {
        assert_eq!(percent_encode("a+b=é"), "a%2Bb%3D%C3%A9");
        assert_eq!(percent_decode("a%2Bb%3d%C3%A9").as_deref(), Some("a+b=é"));
        for text in ["plain", "%", "%2", "%zz", "%ff", "%é"] {
            assert_eq!(percent_decode(text), None, "{text}");
        }
    }
}
