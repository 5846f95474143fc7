//! Where an app and the golden table disagree.

use std::error::Error;
use std::fmt;

use zego_record_core::Verdict;

use super::reply::Reply;

/// Every request whose response is not the expected one. Its `Display` is a report of them all, or one
/// line if a single mistake in the test explains them.
#[derive(Clone, PartialEq, Eq)]
pub struct Differences {
    pub(super) cases: usize,
    pub(super) seed: u64,
    pub(super) cause: Option<String>,
    pub(super) differences: Vec<Difference>,
}

/// One request whose response is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the case.
    pub case: &'static str,
    /// The rule that is broken.
    pub rule: &'static str,
    /// Which request of the case this is, counted from 1.
    pub step: usize,
    /// How many requests the case has.
    pub steps: usize,
    /// The request, shortened.
    pub sent: String,
    /// What was expected.
    pub expected: String,
    /// What came, and everything that is wrong about it.
    pub got: String,
}

impl Differences {
    /// Each of them, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter()
    }

    /// The seed of the run, to repeat it.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cause) = &self.cause {
            return f.write_str(cause);
        }
        let (count, cases, seed) = (self.differences.len(), self.cases, self.seed);
        let responses = if count == 1 {
            "response differs"
        } else {
            "responses differ"
        };
        write!(
            f,
            "{count} {responses} from the golden table of {cases} cases (seed {seed})"
        )?;
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n\n{difference}"))
    }
}

/// `unwrap` prints errors with `Debug`, so that is the readable report as well.
impl fmt::Debug for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Differences {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {}", self.case)?;
        if self.steps > 1 {
            write!(f, ", request {} of {}", self.step, self.steps)?;
        }
        for (label, text) in [
            ("rule", self.rule),
            ("sent", &self.sent),
            ("expected", &self.expected),
            ("got", &self.got),
        ] {
            write!(f, "\n  {label:<9} {text}")?;
        }
        Ok(())
    }
}

/// Looks for one mistake that explains everything: an app that accepts not a single request has another
/// secret, another clock or another path than the test, and hundreds of differences would hide that.
#[derive(Debug, Default)]
pub(super) struct Cause {
    /// How many requests an app must accept.
    acceptable: usize,
    /// The status and body of the first response to one of them.
    first: Option<(u16, Vec<u8>)>,
    differs: bool,
}

impl Cause {
    pub(super) fn look_at(&mut self, expected: Verdict, reply: &Reply) {
        if !expected.is_success() {
            return;
        }
        self.acceptable += 1;
        let first = self
            .first
            .get_or_insert_with(|| (reply.status, reply.body.clone()));
        self.differs |= (first.0, &first.1) != (reply.status, &reply.body);
    }

    /// What to look at, if each of several requests got the same rejection.
    pub(super) fn advice(self) -> Option<String> {
        let (status, body) = self
            .first
            .filter(|_| !self.differs && self.acceptable > 1)?;
        let code = String::from_utf8_lossy(&body).into_owned();
        let advice = match (status, code.as_str()) {
            (401, "bad_signature") => "is its secret the one that the test signs with?",
            (401, "stale" | "future") => "does its clock show the same time as the test's?",
            (404, _) => "does it serve the path that the test sends to?",
            _ => return None,
        };
        let count = self.acceptable;
        Some(format!(
            "all {count} requests that must be accepted got {status} {code}: {advice}"
        ))
    }
}
