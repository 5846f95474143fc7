//! A cluster of three primaries, which rejects a script whose keys are in several slots.

#![allow(clippy::unwrap_used, reason = "everything here is a test")]

mod common;

use common::{ask, assert_says, builder, claim, is_run, key, keys, owner, redis_cmd};
use zego_record_receiver::{
    Claim, ClaimOutcome, DeliveryStore, Lease, ReplayCheck, ReplayGuard, Settlement, StoreErrorKind,
};
use zego_record_redis::RedisStore;
use zego_record_test_servers::Redis;

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_of_a_delivery_are_in_one_slot_of_a_cluster() {
    let Some(nodes) = Redis::cluster(3) else {
        return;
    };
    let urls: Vec<_> = nodes.iter().map(Redis::url).collect();
    let store = builder("a").connect_cluster(&[&urls[0]]).await.unwrap();
    assert_eq!(store.warnings(), [] as [&str; 0]);
    for number in 0..60_u8 {
        let first = claim(u64::from(number));
        assert!(is_run(&store.claim(&first).await.unwrap()));
        store.settle(&first, Settlement::Done).await.unwrap();
        let other = Claim::new(key(1_000 + u64::from(number)), &*first.event_id, owner());
        let changed = ClaimOutcome::Run(Lease::new(1, true));
        assert_eq!(store.claim(&other).await.unwrap(), changed);
        let check = ReplayCheck::new([number; 20], [1; 16], first.lease);
        store.bind(&check).await.unwrap();
        // Every node forgets the scripts at some time.
        let node = &nodes[usize::from(number % 3)];
        node.command(&["SCRIPT", "FLUSH"]);
    }
    let mut used = 0;
    for node in &nodes {
        let events = keys(node, "a:*:event").await;
        used += usize::from(!events.is_empty());
        for event in events {
            let slot: u16 = ask(node, redis_cmd("CLUSTER").arg("KEYSLOT").arg(&event)).await;
            let tag = event.trim_end_matches("event");
            let records = keys(node, &format!("{tag}delivery:*")).await;
            assert_eq!(records.len(), 2, "{event}");
            for record in records {
                let same: u16 = ask(node, redis_cmd("CLUSTER").arg("KEYSLOT").arg(&record)).await;
                assert_eq!(same, slot, "{record}");
            }
        }
    }
    assert_eq!(used, 3, "every node has deliveries");

    let error = RedisStore::connect(&urls[0]).await.unwrap_err();
    assert_says(&error, StoreErrorKind::Config, "connect_cluster");
}
