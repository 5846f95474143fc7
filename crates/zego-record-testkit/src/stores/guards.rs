//! The suite for replay guards.

use std::sync::Arc;
use std::time::Duration;

use zego_record_receiver::{Binding, ReplayCheck, ReplayGuard};

use super::handles::Handles;
use super::{PAGE, RACERS, RACES, assert_purged, race, succeeded};

const LONG: Duration = Duration::from_secs(660);
/// Several seconds, since a guard may round up to whole ones.
const SHORT: Duration = Duration::from_secs(3);
/// When a binding that is kept for [`SHORT`] has expired, also if it was rounded up.
const SHORT_AND_ROUNDED: Duration = Duration::from_millis(4_400);

/// Runs a guard through everything that a receiver relies on: the first content of a signature is
/// bound, the same content may come again, other content is a conflict, a race has one first, and
/// bindings are kept for as long as asked and no longer.
///
/// `pass` lets time pass on the guard's clock: by waiting, as `tokio::time::sleep` does, or by moving a
/// clock by hand.
///
/// # Panics
///
/// If the guard does anything else, with the rule that it breaks.
pub async fn assert_guard_conformant<G, P>(guard: Arc<G>, pass: impl Fn(Duration) -> P)
where
    G: ReplayGuard + ?Sized + 'static,
    P: Future<Output = ()>,
{
    Suite(Handles::one(guard)).run(&pass).await;
}

/// As [`assert_guard_conformant`], with several handles to one guard, which are used in turn and raced
/// against each other.
///
/// # Panics
///
/// If the guard breaks a rule.
pub async fn assert_guard_conformant_across_handles<G, O, P>(
    open: impl Fn() -> O,
    pass: impl Fn(Duration) -> P,
) where
    G: ReplayGuard + ?Sized + 'static,
    O: Future<Output = Arc<G>>,
    P: Future<Output = ()>,
{
    Suite(Handles::open(open).await).run(&pass).await;
}

struct Suite<G: ?Sized>(Handles<G>);

impl<G: ReplayGuard + ?Sized + 'static> Suite<G> {
    async fn run<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        self.first_content_is_bound().await;
        self.all_bytes_count().await;
        self.races_have_one_first().await;
        self.bindings_expire(pass).await;
        self.purge_removes_what_has_expired(pass).await;
    }

    async fn first_content_is_bound(&self) {
        let first = check(LONG);
        let other = with_content(first, 0xaa);
        self.expect("a new signature is first", first, Binding::First)
            .await;
        self.expect("the same content may come again", first, Binding::Same)
            .await;
        self.expect(
            "other content under a signature is a conflict",
            other,
            Binding::Conflict,
        )
        .await;
        self.expect(
            "other content does not become the bound one",
            first,
            Binding::Same,
        )
        .await;
    }

    async fn all_bytes_count(&self) {
        let first = check(LONG);
        self.expect("a new signature is first", first, Binding::First)
            .await;
        let mut near = first;
        near.signature[19] ^= 1;
        self.expect("all 20 bytes of a signature count", near, Binding::First)
            .await;
        let mut near = first;
        near.content[15] ^= 1;
        self.expect("all 16 bytes of a content count", near, Binding::Conflict)
            .await;
    }

    async fn races_have_one_first(&self) {
        for _ in 0..RACES {
            let contested = check(LONG);
            let bindings = race((0..RACERS).map(|racer| {
                let guard = self.0.next();
                let check = with_content(contested, u8::try_from(racer).unwrap_or(u8::MAX));
                async move { succeeded("bind", guard.bind(&check).await) }
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
                "all others are conflicts, but: {bindings:?}"
            );
        }
    }

    async fn bindings_expire<P: Future<Output = ()>>(&self, pass: &impl Fn(Duration) -> P) {
        let first = check(SHORT);
        let mut other = with_content(first, 0xaa);
        other.keep_for = LONG;
        self.expect("a new signature is first", first, Binding::First)
            .await;
        let repeated = SHORT * 2 / 3;
        pass(repeated).await;
        self.expect(
            "a binding is kept for as long as asked",
            other,
            Binding::Conflict,
        )
        .await;
        self.expect(
            "a binding is kept for as long as asked",
            first,
            Binding::Same,
        )
        .await;
        pass(SHORT_AND_ROUNDED.saturating_sub(repeated)).await;
        self.expect(
            "a binding expires, and a repeat does not prolong it",
            other,
            Binding::First,
        )
        .await;
    }

    async fn purge_removes_what_has_expired<P: Future<Output = ()>>(
        &self,
        pass: &impl Fn(Duration) -> P,
    ) {
        let live = check(LONG);
        self.expect("a new signature is first", live, Binding::First)
            .await;
        self.purge_all().await;
        for _ in 0..5 {
            self.expect("a new signature is first", check(SHORT), Binding::First)
                .await;
        }
        pass(SHORT_AND_ROUNDED).await;
        let mut pages = Vec::new();
        for _ in 0..5 {
            pages.push(succeeded("purge", self.0.next().purge(2).await));
        }
        assert_purged("bindings", 5, &pages);
        self.expect(
            "purge removes nothing that has not expired",
            with_content(live, 0xaa),
            Binding::Conflict,
        )
        .await;
    }

    async fn purge_all(&self) {
        while succeeded("purge", self.0.next().purge(PAGE).await) >= u64::from(PAGE) {}
    }

    async fn expect(&self, rule: &str, check: ReplayCheck, expected: Binding) {
        let binding = succeeded("bind", self.0.next().bind(&check).await);
        assert_eq!(binding, expected, "{rule}");
    }
}

fn check(keep_for: Duration) -> ReplayCheck {
    let mut signature = [0; 20];
    fastrand::Rng::new().fill(&mut signature);
    ReplayCheck::new(signature, [0x55; 16], keep_for)
}

fn with_content(mut check: ReplayCheck, content: u8) -> ReplayCheck {
    check.content = [content; 16];
    check
}
