//! Where an app and the golden table disagree.

use std::error::Error;
use std::fmt;

/// Every request to which an app has not answered as it must. Its `Display` is a report of them all.
#[derive(Clone, PartialEq, Eq)]
pub struct Differences {
    pub(super) cases: usize,
    pub(super) seed: u64,
    pub(super) differences: Vec<Difference>,
}

/// One request to which an app has not answered as it must.
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
    /// What was due.
    pub expected: String,
    /// What came, with all that is wrong about it.
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
        let (count, cases, seed) = (self.differences.len(), self.cases, self.seed);
        let answers = if count == 1 {
            "answer differs"
        } else {
            "answers differ"
        };
        write!(
            f,
            "{count} {answers} from the golden table of {cases} cases (seed {seed})"
        )?;
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n\n{difference}"))
    }
}

/// `unwrap` prints errors with `Debug`, so that is the readable text as well.
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
