//! The fields that the protocol defines.

use std::fmt;

/// A field of the callback that ZEGOCLOUD documents.
///
/// The enum is `non_exhaustive`, since ZEGOCLOUD adds fields over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `appid`: the project, a 32-bit number.
    Appid,
    /// `begin_time`: when the recording began, Unix seconds.
    BeginTime,
    /// `end_time`: when the recording ended, Unix seconds.
    EndTime,
    /// `event`: `record`.
    Event,
    /// `extra_params`: what the CDN vendor adds, JSON in a string.
    ExtraParams,
    /// `nonce`: a random string, part of what is signed.
    Nonce,
    /// `replay_url`: where the recording can be played.
    ReplayUrl,
    /// `signature`: 40 hexadecimal digits.
    Signature,
    /// `stream_alias`: the stream's name, the client's `StreamID`.
    StreamAlias,
    /// `timestamp`: ZEGOCLOUD's clock when it signed, Unix seconds, part of what is signed.
    Timestamp,
}

impl Field {
    pub(crate) const COUNT: usize = 10;

    /// The field's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Appid => "appid",
            Self::BeginTime => "begin_time",
            Self::EndTime => "end_time",
            Self::Event => "event",
            Self::ExtraParams => "extra_params",
            Self::Nonce => "nonce",
            Self::ReplayUrl => "replay_url",
            Self::Signature => "signature",
            Self::StreamAlias => "stream_alias",
            Self::Timestamp => "timestamp",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "appid" => Self::Appid,
            "begin_time" => Self::BeginTime,
            "end_time" => Self::EndTime,
            "event" => Self::Event,
            "extra_params" => Self::ExtraParams,
            "nonce" => Self::Nonce,
            "replay_url" => Self::ReplayUrl,
            "signature" => Self::Signature,
            "stream_alias" => Self::StreamAlias,
            "timestamp" => Self::Timestamp,
            _ => return None,
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
