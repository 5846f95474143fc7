//! What runs under callgrind: `workload verify|http all|ours`, or a part of the names of contests and
//! contenders instead, to profile one alone.

#![allow(clippy::print_stdout, reason = "the names are its result")]

use std::env;

use zego_record_benches::callgrind::{TIMES, WARM_UP, run_counted};
use zego_record_benches::contest;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let contests = match arguments.first().map(String::as_str) {
        Some("verify") => contest::verification(),
        Some("http") => contest::in_process(WARM_UP + TIMES),
        _ => panic!("usage: workload verify|http all|ours|PART-OF-A-NAME"),
    };
    let wanted = arguments.get(1).map_or("all", String::as_str);
    for contest in contests {
        for mut contender in contest.contenders {
            let name = format!("{} / {}", contest.name, contender.name);
            let is_wanted = match wanted {
                "all" => true,
                "ours" => contender.is_ours,
                part => name.contains(part),
            };
            if is_wanted {
                run_counted(&mut contender);
                println!("{name}");
            }
        }
    }
}
