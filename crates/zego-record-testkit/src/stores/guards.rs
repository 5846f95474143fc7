//! The suite for replay guards.

use std::sync::Arc;
use std::time::SystemTime;

use zego_record_core::UnixSeconds;
use zego_record_receiver::{Binding, ReplayGuard, Sighting};

use super::{RACERS, RACES, answered, race};

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
    let first = sighting();
    let other = Sighting {
        content: [0xaa; 16],
        ..first
    };
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
        Binding::Other,
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
        Binding::Other,
    )
    .await;

    for _ in 0..RACES {
        let contested = sighting();
        let bindings = race((0..RACERS).map(|racer| {
            let guard = Arc::clone(&guard);
            let content = [u8::try_from(racer).unwrap_or(u8::MAX); 16];
            async move {
                let sighting = Sighting {
                    content,
                    ..contested
                };
                answered("bind", guard.bind(&sighting).await)
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
            count(Binding::Other),
            RACERS - 1,
            "all others are told, but: {bindings:?}"
        );
    }
}

async fn expect<G: ReplayGuard + ?Sized>(
    rule: &str,
    guard: &G,
    sighting: Sighting,
    expected: Binding,
) {
    assert_eq!(
        answered("bind", guard.bind(&sighting).await),
        expected,
        "{rule}"
    );
}

fn sighting() -> Sighting {
    let now = UnixSeconds::from(SystemTime::now());
    let mut signature = [0; 20];
    fastrand::Rng::new().fill(&mut signature);
    Sighting {
        signature,
        content: [0x55; 16],
        now,
        keep_until: UnixSeconds::new(now.get().saturating_add(360)),
    }
}
