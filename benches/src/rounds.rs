//! Timing in interleaved rounds.
//!
//! A bench that measures one contender for seconds and then the next compares two moments of a machine
//! as much as two pieces of code. Here all take turns within milliseconds, and what is compared is what
//! was measured in the same round: whatever else the machine does falls on all of them.

use std::time::Instant;

use crate::contest::Contest;

/// One number for each round.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

/// A median, and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the rounds is below.
    pub low: f64,
    /// Half of the rounds are below.
    pub median: f64,
    /// A quarter of the rounds is above.
    pub high: f64,
}

impl Samples {
    /// Takes in the number of one more round.
    pub fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// How these samples are spread.
    pub fn spread(&self) -> Spread {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
        Spread {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }

    /// These samples as multiples of others, round by round.
    pub fn relative_to(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }
}

/// Nanoseconds for one run of each contender's work. Every round begins with another contender.
pub fn time(contest: &mut Contest, rounds: usize, times: usize) -> Vec<Samples> {
    let contenders = contest.contenders.len();
    let mut samples = vec![Samples::default(); contenders];
    for round in 0..=rounds {
        for turn in 0..contenders {
            let index = (round + turn) % contenders;
            let begin = Instant::now();
            contest.contenders[index].run(times);
            let elapsed = begin.elapsed();
            // The first round warms up.
            if round > 0 {
                samples[index].push(elapsed.as_nanos() as f64 / times as f64);
            }
        }
    }
    samples
}
