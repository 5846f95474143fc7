//! Power cuts: `strace` logs what a process writes and syncs. After some of its acknowledgements a disk is
//! made that has what was synced by then, and any part of what was not, in sectors of 512 bytes: the
//! database is whole, and whatever was acknowledged is there.
//!
//! `POWER_CUT_IMAGES=10000` makes that many disks instead of 60.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stdout, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod disk;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Directory, key_of, recording};
use disk::{Disk, Event, events};
use fastrand::Rng;
use zego_record_receiver::{Claim, ClaimOutcome, DeliveryStore, Owner, Settlement};
use zego_record_sqlite::rusqlite::{Connection, params};
use zego_record_sqlite::{SqliteStore, event_hash, sql};

const DATABASE: &str = "ZEGO_TEST_DATABASE";
const IMAGES: usize = 60;
/// Enough for SQLite to write its log back into the file, which it does from a thousand pages on.
const DELIVERIES: u32 = 400;

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let Some(found) = cut_power("child") else {
        return;
    };
    assert_eq!(found.lost, 0, "{found:?}");
}

/// The same with the setting that the store rejects, to show that these disks would tell.
#[test]
fn without_a_sync_for_each_commit_a_power_cut_loses_what_was_acknowledged() {
    let Some(found) = cut_power("child_that_does_not_sync") else {
        return;
    };
    assert!(found.lost > 0, "{found:?}");
}

#[test]
#[ignore = "the process that other tests start"]
fn child() {
    let store = SqliteStore::open(std::env::var(DATABASE).unwrap()).unwrap();
    acknowledge_all(|number| {
        let settled = block_on(store.settle(&claim(number), Settlement::Done));
        settled.unwrap();
    });
}

#[test]
#[ignore = "the process that other tests start"]
fn child_that_does_not_sync() {
    let connection = Connection::open(std::env::var(DATABASE).unwrap()).unwrap();
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .unwrap();
    let mut record = connection.prepare(sql::RECORD).unwrap();
    acknowledge_all(|number| {
        let (key, event_id) = (key_of(number), recording(number).event_id());
        let parameters = params![
            key.as_bytes(),
            i64::MAX,
            event_hash(&event_id),
            event_id.as_bytes()
        ];
        let rows = record.query_map(parameters, |_| Ok(()));
        assert_eq!(rows.unwrap().count(), 1);
    });
}

/// Ends at once, as a process does that does not close its database.
fn acknowledge_all(mut record: impl FnMut(u32)) {
    for number in 0..DELIVERIES {
        record(number);
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\ndone {number}\n").as_bytes())
            .unwrap();
        out.flush().unwrap();
    }
    std::process::exit(0);
}

#[derive(Debug)]
struct Found {
    /// In how many of the disks something that was acknowledged is absent.
    lost: usize,
}

/// `None` if it is skipped explicitly.
fn cut_power(child: &str) -> Option<Found> {
    let skip = std::env::var("ZEGO_TEST_SKIP").unwrap_or_default();
    if skip.split(',').any(|skip| skip == "strace") {
        println!("skipped, as ZEGO_TEST_SKIP says: {child}");
        return None;
    }
    let images = std::env::var("POWER_CUT_IMAGES").map_or(IMAGES, |text| text.parse().unwrap());
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let directory = Directory::new();
    drop(directory.open());
    let database = directory.database();
    let mut disk = Disk::default();
    wait_until_closed(&database);
    disk.add(path_of(&database), fs::read(&database).unwrap());
    let log = trace(child, &database);
    let events = events(&log, &path_of(&database));
    assert_eq!(acknowledged(&events).len(), DELIVERIES as usize);
    let syncs = events
        .iter()
        .filter(|event| matches!(event, Event::Synced(_)));
    let (syncs, mut lost) = (syncs.count(), 0);
    let is_said = |cut: &usize| matches!(events[*cut - 1], Event::Said(_));
    let said: Vec<usize> = (1..=events.len()).filter(is_said).collect();
    // Half of them come when the process has just spoken.
    let mut cuts: Vec<usize> = (0..images)
        .map(|image| match image % 2 {
            0 => said[random.usize(..said.len())],
            _ => random.usize(..=events.len()),
        })
        .collect();
    cuts.sort_unstable();
    let mut happened = 0;
    for cut in cuts {
        events[happened..cut]
            .iter()
            .for_each(|event| disk.happen(event));
        happened = cut;
        let image = disk.cut(&mut random);
        let absent = absent(&image, &acknowledged(&events[..cut]));
        lost += usize::from(!absent.is_empty());
        if child == "child" {
            assert!(
                absent.is_empty(),
                "seed {seed}, after {cut} events: {absent:?}"
            );
        }
    }
    println!(
        "figures: {child}: {} events, {syncs} syncs, {images} power cuts, {lost} that lost something",
        events.len()
    );
    Some(Found { lost })
}

/// The last connection that is closed removes the log, and a store closes its own on threads of its own.
fn wait_until_closed(database: &Path) {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    while fs::exists(&log).unwrap() {
        std::thread::yield_now();
    }
}

fn trace(child: &str, database: &Path) -> String {
    let log = database.with_extension("strace");
    let status = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-y",
            "-xx",
            "-s",
            "1000000",
            "-e",
            "signal=none",
        ])
        .args(["-e", "trace=write,pwrite64,fsync,fdatasync,ftruncate", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", child, "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::null())
        .status()
        .expect(
            "strace is missing: install the Debian package strace, or set ZEGO_TEST_SKIP=strace",
        );
    assert!(status.success());
    fs::read_to_string(log).unwrap()
}

fn acknowledged(events: &[Event]) -> Vec<u32> {
    let said = events.iter().filter_map(|event| match event {
        Event::Said(bytes) => str::from_utf8(bytes).unwrap().trim().strip_prefix("done "),
        _ => None,
    });
    said.map(|number| number.parse().unwrap()).collect()
}

/// Which of these are absent from a database that is otherwise whole.
fn absent(image: &BTreeMap<String, Vec<u8>>, numbers: &[u32]) -> Vec<u32> {
    let directory = Directory::new();
    for (path, bytes) in image {
        let name = Path::new(path).file_name().unwrap();
        let path = directory.database().with_file_name(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let store = directory.open();
    let integrity: String = directory
        .connection()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
    let is_absent = |number: &&u32| {
        let outcome = block_on(store.claim(&claim(**number))).unwrap();
        outcome != ClaimOutcome::Done
    };
    numbers.iter().filter(is_absent).copied().collect()
}

fn claim(number: u32) -> Claim {
    let owner = Owner::new(fastrand::u128(..));
    Claim::new(key_of(number), recording(number).event_id(), owner)
}

fn path_of(path: &Path) -> String {
    path.display().to_string()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}
