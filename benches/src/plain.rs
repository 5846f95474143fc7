//! The floor: the usual parser into an owned struct, and no verification at all.

use percent_encoding::percent_decode;
use serde::Deserialize;

/// The fields as they are documented, all of them strings.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is the filling of them that is measured")]
pub struct Plain {
    appid: String,
    begin_time: String,
    end_time: String,
    event: String,
    extra_params: String,
    nonce: String,
    replay_url: String,
    signature: String,
    stream_alias: String,
    timestamp: String,
}

/// Reads a JSON body.
pub fn json(body: &[u8]) -> Plain {
    serde_json::from_slice(body).expect("the corpus is valid JSON")
}

/// Reads a form.
pub fn form(body: &[u8]) -> Plain {
    serde_urlencoded::from_bytes(body).expect("the corpus is a valid form")
}

/// Reads a JSON body that is percent-encoded as a whole.
pub fn encoded_json(body: &[u8]) -> Plain {
    let document = percent_decode(body).decode_utf8();
    serde_json::from_str(&document.expect("the corpus is UTF-8")).expect("the corpus is valid JSON")
}
