//! Contests: the same work, done in several ways.

use std::hint::black_box;

use bytes::Bytes;
use zego_record_core::{
    Authenticated, CallbackSecret, UnixSeconds, Unverified, Verifier, WireForm,
};
use zego_record_testkit::Signing;

use crate::app::{App, Extent, Framework};
use crate::corpus::{self, NOW, SECRET};
use crate::in_process::Connection;
use crate::{naive, plain};

/// The same work, done by each of the contenders; the first is the measure of the others.
pub struct Contest {
    /// What the work is.
    pub name: String,
    /// Who does it.
    pub contenders: Vec<Contender>,
}

/// One way to do the work.
pub struct Contender {
    /// Its name.
    pub name: &'static str,
    /// Whether it is this project's code.
    pub is_ours: bool,
    work: Box<dyn FnMut(usize)>,
}

impl Contender {
    /// Does the work `times` times.
    pub fn run(&mut self, times: usize) {
        (self.work)(times);
    }

    fn new(name: &'static str, is_ours: bool, work: impl FnMut(usize) + 'static) -> Self {
        Self {
            name,
            is_ours,
            work: Box::new(work),
        }
    }

    fn repeating<T>(
        name: &'static str,
        is_ours: bool,
        mut once: impl FnMut() -> T + 'static,
    ) -> Self {
        let work = move |times| {
            for _ in 0..times {
                black_box(once());
            }
        };
        Self::new(name, is_ours, work)
    }
}

/// A verifier as every bench uses it.
pub fn verifier() -> Verifier {
    let secret = CallbackSecret::new(SECRET).expect("the secret is usable");
    let verifier = Verifier::builder().secret(secret).build();
    verifier.expect("the verifier has a secret")
}

/// Reading and verifying a body: each wire form, each vendor, accepted and forged.
pub fn verification() -> Vec<Contest> {
    let mut contests = Vec::new();
    for (form_name, form) in corpus::WIRE_FORMS {
        for vendor in corpus::VENDORS {
            for (verdict, signing) in [
                ("accepted", Signing::Right),
                ("forged", Signing::OtherSecret),
            ] {
                let body = corpus::body(vendor, form, signing);
                let (by_hand, ours) = (body.clone(), body.clone());
                let verifier = verifier();
                let accepted = verifier.verify(&body, NOW).is_ok();
                assert_eq!(accepted, signing == Signing::Right, "{form_name} {verdict}");
                assert_eq!(accepted, naive::receive(&body, form, NOW).is_ok());
                let read = match form {
                    WireForm::Form => plain::form,
                    WireForm::EncodedJson => plain::encoded_json,
                    _ => plain::json,
                };
                contests.push(Contest {
                    name: format!("{form_name} {} {verdict}", vendor.name()),
                    contenders: vec![
                        Contender::repeating("parse only", false, move || read(black_box(&body))),
                        Contender::repeating("naive", false, move || {
                            naive::receive(black_box(&by_hand), form, NOW)
                        }),
                        Contender::repeating("core", true, move || {
                            verifier.verify(black_box(&ours), NOW)
                        }),
                    ],
                });
            }
        }
    }
    contests
}

/// Reading and verifying a body as costly as the body limit lets one be, without and with its delivery
/// key: whoever has captured one signed request can send such bodies.
pub fn worst_bodies() -> Vec<Contest> {
    let contest = |(name, body): (&str, Bytes)| {
        let with_key = body.clone();
        let (verifier, with) = (verifier(), verifier());
        Contest {
            name: name.to_owned(),
            contenders: vec![
                Contender::repeating("without key", true, move || {
                    authenticate(&verifier, black_box(&body)).signature()
                }),
                Contender::repeating("with key", true, move || {
                    authenticate(&with, black_box(&with_key)).delivery_key()
                }),
            ],
        }
    };
    corpus::worst_bodies().into_iter().map(contest).collect()
}

fn authenticate<'a>(verifier: &Verifier, body: &'a [u8]) -> Authenticated<'a> {
    let authenticated =
        Unverified::read(body).and_then(|unverified| verifier.authenticate(unverified, NOW));
    authenticated.expect("the body is signed and fresh")
}

/// A request through a framework's own HTTP stack over a stream in memory, from bytes to bytes. Each
/// contender serves at most `requests` requests, all for different recordings.
pub fn in_process(requests: usize) -> Vec<Contest> {
    let mut contests = Vec::new();
    for framework in Framework::ALL {
        for (form_name, form) in &corpus::WIRE_FORMS[..2] {
            let now = UnixSeconds::from(std::time::SystemTime::now());
            let requests = corpus::requests(now, *form, 0..requests);
            let contenders = Extent::ALL.into_iter().filter_map(|extent| {
                let app = App::new(framework, extent, *form)?;
                let mut connection = Connection::open(app);
                // A clone of `Bytes` shares the memory.
                let mut unsent = requests.clone().into_iter();
                let work = move |times: usize| connection.exchange(unsent.by_ref().take(times));
                Some(Contender::new(extent.name(), extent.is_ours(), work))
            });
            contests.push(Contest {
                name: format!("{} {form_name}", framework.name()),
                contenders: contenders.collect(),
            });
        }
    }
    contests
}
