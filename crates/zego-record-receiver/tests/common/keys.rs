//! What threads want at the same time: deliveries and signatures by number.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zego_record_core::{DeliveryKey, UnixSeconds};
use zego_record_receiver::{Claim, Owner, ReplayCheck};

pub(crate) fn claim(key: usize, owner: usize) -> Claim {
    Claim {
        key: DeliveryKey::from_bytes(bytes(key)),
        event_id: format!("1:file:{key}"),
        owner: Owner::new(owner as u128),
        lease: Duration::from_secs(10),
        retention: Duration::from_secs(1_000),
    }
}

pub(crate) fn check(signature: usize, content: usize) -> ReplayCheck {
    ReplayCheck {
        signature: bytes(signature),
        content: bytes(content),
        now: UnixSeconds::new(1_760_001_900),
        keep_until: UnixSeconds::new(1_760_002_260),
    }
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
