//! What every inbox must do, as a test to run against your own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use std::sync::Arc;
//! use std::time::SystemTime;
//! use zego_record_inbox::MemoryInbox;
//! use zego_record_testkit::{ManualClock, inboxes::assert_inbox_conformant};
//!
//! let clock = ManualClock::new(SystemTime::now().into());
//! let inbox = Arc::new(MemoryInbox::new().with_clock(clock.clone()));
//! let open = async || Arc::clone(&inbox);
//! assert_inbox_conformant(open, async |time| clock.advance(time)).await;
//! # }
//! ```
//!
//! An inbox that is in a database gets a pool of connections, or a file, of its own for each handle, and
//! `tokio::time::sleep` for `pass` if its clock cannot be moved by hand. It is then waited for, about 30
//! seconds in total.
//!
//! The inbox must be empty, and nobody else may use it meanwhile: the suite claims whatever is due. It
//! leaves an inbox without callbacks behind, so it can be run again.
//!
//! An inbox is a replay guard as well: run
//! [`assert_guard_conformant_across_handles`](crate::stores::assert_guard_conformant_across_handles) too.
//!
//! # What it cannot see
//!
//! * Restarts, crashes and power cuts: whether what was accepted is still there afterwards. **This is what
//!   an inbox is for**, so test it with a process that is killed.
//! * Whether a call whose future is dropped is carried out as a whole or not at all.
//! * Other processes. Handles are tasks of one process, so a lock in a `static` still hides a race.
//! * Races that are rarer than one in 25 rounds of 16 tasks.
//! * Clocks that differ, or jump.
//! * Whether [`arrivals`](zego_record_inbox::InboxStore::arrivals) are notified: a worker that is told
//!   nothing is only later.
//! * [`Accepted::Running`](zego_record_receiver::Accepted::Running), which needs a receiver without an
//!   inbox in the same database.
//! * Speed and size: whether a claim becomes slower as the backlog grows, and how much room it takes.
//! * Whether errors have the right [`StoreErrorKind`](zego_record_receiver::StoreErrorKind).
//!
//! Nor does it ask for what the contract leaves open: in which order
//! [`claim_due`](zego_record_inbox::InboxStore::claim_due) returns what it has taken, which callbacks come
//! first if there are more to redeliver, discard or prune than the limit, and how many attempts of a
//! callback are kept beyond those that are returned.

mod accepting;
mod claiming;
mod discarding;
mod extending;
mod filtering;
mod history;
mod hostile;
mod listing;
mod outdated;
mod redelivering;
mod removing;
mod settling;
mod suite;

use std::sync::Arc;
use std::time::Duration;

use zego_record_inbox::InboxStore;

use crate::stores::Handles;
use suite::Suite;

/// Runs an inbox through everything that a receiver and a worker rely on: a callback is accepted once, a
/// race for it has one winner, leases and delays are as long as asked, a run that has lost its callback
/// does no harm, what is done stays done, dead letters stay, the history tells what has happened, and
/// operators see and change what they ask for and nothing else.
///
/// `open` opens a handle to the inbox, the same one at each call. It is called a few times, and the handles
/// are used in turn and raced against each other: they should share as little as two processes would.
/// `pass` lets time pass on the inbox's clock: by waiting, as `tokio::time::sleep` does, or by moving a
/// clock by hand.
///
/// # Panics
///
/// If the inbox does anything else, with the promise that it breaks.
pub async fn assert_inbox_conformant<S, O, P>(open: impl Fn() -> O, pass: impl Fn(Duration) -> P)
where
    S: InboxStore + ?Sized + 'static,
    O: Future<Output = Arc<S>>,
    P: Future<Output = ()>,
{
    let suite = Suite::new(Handles::open(open).await, pass);
    suite.starts_empty().await;
    // First, since the others clear the inbox by it.
    suite.erased_is_gone().await;
    suite.erased_is_not_settled().await;

    suite.accepted_once().await;
    suite.conflicts_store_nothing().await;
    suite.guard_and_inbox_share_bindings().await;
    suite.accepts_in_a_race_have_one_new().await;
    suite.conflicts_in_a_race_have_one_new().await;

    suite.claimed_as_accepted().await;
    suite.limit_is_kept().await;
    suite.leases_are_as_long_as_asked().await;
    suite.taken_over_once().await;
    suite.claims_never_overlap().await;
    suite.changed().await;
    suite.extended_from_now().await;
    suite.extended_by_its_holder_alone().await;
    suite.extended_after_its_end().await;

    suite.done().await;
    suite.discarded_by_its_handler().await;
    suite.dead().await;
    suite.retried().await;
    suite.released().await;
    suite.late_run_is_harmless().await;
    suite.strangers_change_nothing().await;
    suite.late_success_is_true().await;
    suite.longest_due_first().await;
    suite.extreme_times().await;
    suite.known_in_every_state().await;

    suite.history_tells_each_end().await;
    suite.history_tells_what_was_lost().await;
    suite.history_is_bounded().await;
    suite.notes_are_cut().await;

    suite.redelivered().await;
    suite.redelivers_what_matches().await;
    suite.redelivers_to_its_limit().await;
    suite.counts_new_ids().await;
    suite.discarded_by_an_operator().await;
    suite.discards_to_its_limit().await;
    suite.discard_and_claim_race().await;
    suite.paused().await;
    suite.pruned_by_age().await;
    suite.dead_letters_are_not_pruned().await;

    suite.unknown_is_not_found().await;
    suite.listed_newest_first().await;
    suite.filtered_by_state().await;
    suite.filtered_by_fields().await;
    suite.filtered_by_text().await;
    suite.filtered_by_key().await;
    suite.filtered_by_time().await;
    suite.counted().await;
    suite.oldest_is_open().await;
    suite.hostile_bytes().await;
    suite.long_fields().await;
    suite.clear().await;
}
