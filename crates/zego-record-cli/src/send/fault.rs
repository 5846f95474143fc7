//! What can be done to a callback on its way.

use std::fmt;
use std::str::FromStr;

/// A fault that `send` can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed before the first answer is read; the callback is sent again by schedule.
    DropAnswer,
    /// The callback is sent a second time, at once or after it was delivered.
    Duplicate,
    /// The callback is sent after some that were made later.
    Reorder,
    /// After the delivery, other content is sent under the same timestamp, nonce and signature.
    Tamper,
    /// The callback was signed an hour ago.
    Stale,
    /// The callback is signed for an hour from now.
    Future,
    /// The signature is wrong.
    BadSignature,
    /// There is no signature.
    Unsigned,
    /// The body is sent in pieces with `Transfer-Encoding: chunked`.
    Chunked,
    /// The body is one mebibyte.
    Oversize,
    /// The body takes two seconds to arrive.
    Slow,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 11] = [
        Self::DropAnswer,
        Self::Duplicate,
        Self::Reorder,
        Self::Tamper,
        Self::Stale,
        Self::Future,
        Self::BadSignature,
        Self::Unsigned,
        Self::Chunked,
        Self::Oversize,
        Self::Slow,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DropAnswer => "drop-answer",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Tamper => "tamper",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::BadSignature => "bad-signature",
            Self::Unsigned => "unsigned",
            Self::Chunked => "chunked",
            Self::Oversize => "oversize",
            Self::Slow => "slow",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A fault and the share of the callbacks that it befalls, written `duplicate` or `duplicate:0.1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultShare {
    /// What happens.
    pub fault: Fault,
    /// To how many, between 0 and 1.
    pub share: f64,
}

impl FromStr for FaultShare {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, share) = match text.split_once(':') {
            Some((name, share)) => (name, share.parse().ok()),
            None => (text, Some(1.0)),
        };
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        let fault = fault.ok_or_else(|| {
            let names = Fault::ALL.map(Fault::name).join(", ");
            format!("no such fault, choose from {names}")
        })?;
        let share = share
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or("the share is no number from 0 to 1, write for example duplicate:0.1")?;
        Ok(Self { fault, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_name_and_maybe_a_share() {
        for fault in Fault::ALL {
            let all = FaultShare { fault, share: 1.0 };
            assert_eq!(fault.name().parse(), Ok(all));
            let tenth = FaultShare { fault, share: 0.1 };
            assert_eq!(format!("{fault}:0.1").parse(), Ok(tenth));
        }
        for (text, word) in [
            ("", "no such fault"),
            ("drop", "no such fault"),
            ("Drop-Answer", "no such fault"),
            ("slow:", "share"),
            ("slow:x", "share"),
            ("slow:-0.1", "share"),
            ("slow:1.1", "share"),
            ("slow:NaN", "share"),
            ("slow:0.1:0.1", "share"),
        ] {
            let error = text.parse::<FaultShare>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
