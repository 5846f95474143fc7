//! The suite for replay guards.

use std::sync::Arc;
use std::time::Duration;

use zego_record_receiver::{Binding, ReplayCheck, ReplayGuard};

use super::{RACERS, RACES, answered, race};

const KEEP_FOR: Duration = Duration::from_secs(660);

/// Runs a guard through everything that a receiver relies on: the first content of a signature is
/// bound, the same may come again, another is told, and a race has one first.
///
/// # Panics
///
/// If the guard does anything else, with the rule that it breaks.
pub async fn assert_guard_conformant<G>(guard: Arc<G>)
where
    G: ReplayGuard + ?Sized + 'static,
{
    let first = check();
    let mut other = first;
    other.content = [0xaa; 16];
    expect("a new signature is first", &*guard, first, Binding::First).await;
    expect(
        "the same content may come again",
        &*guard,
        first,
        Binding::Same,
    )
    .await;
    expect(
        "other content under a signature is told",
        &*guard,
        other,
        Binding::Conflict,
    )
    .await;
    expect(
        "other content does not become the bound one",
        &*guard,
        first,
        Binding::Same,
    )
    .await;

    let mut near = first;
    near.signature[19] ^= 1;
    expect(
        "all 20 bytes of a signature count",
        &*guard,
        near,
        Binding::First,
    )
    .await;
    let mut near = first;
    near.content[15] ^= 1;
    expect(
        "all 16 bytes of a content count",
        &*guard,
        near,
        Binding::Conflict,
    )
    .await;

    for _ in 0..RACES {
        let contested = check();
        let bindings = race((0..RACERS).map(|racer| {
            let guard = Arc::clone(&guard);
            let content = [u8::try_from(racer).unwrap_or(u8::MAX); 16];
            async move {
                let mut check = contested;
                check.content = content;
                answered("bind", guard.bind(&check).await)
            }
        }))
        .await;
        let count = |binding| bindings.iter().filter(|other| **other == binding).count();
        assert_eq!(
            count(Binding::First),
            1,
            "a race has one first, but: {bindings:?}"
        );
        assert_eq!(
            count(Binding::Conflict),
            RACERS - 1,
            "all others are told, but: {bindings:?}"
        );
    }
}

async fn expect<G: ReplayGuard + ?Sized>(
    rule: &str,
    guard: &G,
    check: ReplayCheck,
    expected: Binding,
) {
    assert_eq!(
        answered("bind", guard.bind(&check).await),
        expected,
        "{rule}"
    );
}

fn check() -> ReplayCheck {
    let mut signature = [0; 20];
    fastrand::Rng::new().fill(&mut signature);
    ReplayCheck::new(signature, [0x55; 16], KEEP_FOR)
}
