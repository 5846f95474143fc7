//! Deliveries and signatures by number, for tests in which threads race for them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zego_record_core::DeliveryKey;
use zego_record_receiver::{Claim, Owner, ReplayCheck};

pub(crate) fn claim(key: usize, owner: usize) -> Claim {
    Claim::new(
        DeliveryKey::from_bytes(bytes(key)),
        format!("1:file:{key}"),
        Owner::new(owner as u128),
    )
}

pub(crate) fn check(signature: usize, content: usize) -> ReplayCheck {
    ReplayCheck::new(bytes(signature), bytes(content), Duration::from_secs(660))
}

/// What a store or a guard in memory answers, which never waits.
pub(crate) fn now<F: Future + Unpin>(mut answer: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(&mut answer).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn bytes<const N: usize>(number: usize) -> [u8; N] {
    std::array::from_fn(|at| number.to_le_bytes().get(at).copied().unwrap_or_default())
}
