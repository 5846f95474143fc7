//! Counts allocations: `allocations verify|http|store`. A binary of its own, since counting takes an
//! allocator that would be in the way of everything else that is measured.

#![allow(clippy::print_stdout, reason = "the counts are its result")]

use std::env;

use allocation_counter::measure;
use zego_record_benches::callgrind::{TIMES, WARM_UP};
use zego_record_benches::contest;
use zego_record_benches::memory::{Guard, Memory, Store};

const MILLION: u64 = 1_000_000;

fn main() {
    let contests = match env::args().nth(1).as_deref() {
        Some("verify") => contest::verification(),
        Some("http") => contest::in_process(WARM_UP + TIMES),
        Some("store") => {
            held_by::<Guard>();
            held_by::<Store>();
            return;
        }
        _ => panic!("usage: allocations verify|http|store"),
    };
    for contest in contests {
        for mut contender in contest.contenders {
            contender.run(WARM_UP);
            let counted = measure(|| contender.run(TIMES));
            let times = TIMES as u64;
            // Rounded: a table that doubles now and then is not part of every run.
            let allocations = (counted.count_total + times / 2) / times;
            let bytes = (counted.bytes_total + times / 2) / times;
            println!(
                "{} / {}\t{allocations}\t{bytes}",
                contest.name, contender.name
            );
        }
    }
}

/// What a million live entries hold, and what one more allocates for a moment.
fn held_by<M: Memory>() {
    let memory = M::new(MILLION);
    let filled = measure(|| {
        for number in 0..MILLION {
            memory.put(&memory.entry(number));
        }
    });
    let bytes = filled.bytes_current.unsigned_abs() / MILLION;
    let entries: Vec<_> = (0..1000).map(|more| memory.entry(MILLION + more)).collect();
    let put = measure(|| entries.iter().for_each(|entry| memory.put(entry)));
    let allocations = (put.count_total + 500) / 1000;
    println!("{}\t{bytes}\t{allocations}", M::NAME);
}
