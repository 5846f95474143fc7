//! Requests that nobody has thought of.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use fastrand::Rng;

use crate::site::Site;

const PATHS: [&str; 14] = [
    "/console",
    "/console/",
    "/console/callbacks",
    "/console/callbacks/",
    "/console/rejections",
    "/console/redeliver",
    "/console/discard",
    "/console/pause",
    "/console/resume",
    "/console/export",
    "/console/login",
    "/console/logout",
    "/console/style.css",
    "/console/x",
];
const NAMES: [&str; 14] = [
    "state",
    "appid",
    "stream",
    "text",
    "key",
    "from",
    "until",
    "before",
    "count",
    "reason",
    "token",
    "form_token",
    "",
    "x",
];
const VALUES: [&str; 26] = [
    "",
    "dead",
    "waiting",
    "running",
    "0",
    "1",
    "-1",
    "10000",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "2026-11-24T20:46",
    "1970-01-01T00:00",
    "9999-12-31T23:59:59",
    "0000-00-00T00:00",
    "%00",
    "%ff%fe",
    "%",
    "%zz",
    "%E2%80%AE",
    "%3Cscript%3E%22%27",
    "00112233",
    "0011223344556677001122334455667700112233445566770011223344556677",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "\u{202e}",
    "a+b&state=done",
];

fn pairs(rng: &mut Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(..6) {
        text += &format!(
            "{}={}&",
            rng.choice(NAMES).unwrap(),
            rng.choice(VALUES).unwrap()
        );
    }
    text
}

/// A text with bytes changed, added and taken away.
fn mangled(rng: &mut Rng, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..3) {
            0 => bytes.insert(at, rng.u8(..)),
            1 if at < bytes.len() => bytes[at] = rng.u8(..),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[tokio::test]
async fn every_request_gets_a_page() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let site = Site::new().await;
    site.add_many(3).await;
    let form_token = site.get("/console/logout").await.hidden_fields();
    let cookie = site.cookie.clone().unwrap();
    let (mut sent, mut seen) = (0, std::collections::BTreeSet::new());
    while sent < 3_000 {
        let mut path = (*rng.choice(PATHS.as_slice()).unwrap()).to_owned();
        if path.ends_with("callbacks/") {
            path += rng.choice(VALUES).unwrap();
        }
        let query = pairs(&mut rng);
        let target = mangled(&mut rng, &format!("{path}?{query}"));
        let target = String::from_utf8_lossy(&target).into_owned();
        let is_post = rng.bool();
        let form = match rng.u8(..4) {
            0 => pairs(&mut rng),
            _ => format!("{form_token}&{}", pairs(&mut rng)),
        };
        let mut request = match is_post {
            true => site.form_request(&target),
            false => site.request(Method::GET, &target),
        };
        // What is no address at all is never sent.
        let Some(headers) = request.headers_mut() else {
            continue;
        };
        for (name, text) in [(header::COOKIE, &*cookie), (header::HOST, "localhost:3001")] {
            let bytes = mangled(&mut rng, text);
            if let Some(value) = rng
                .u8(..8)
                .eq(&0)
                .then(|| bytes.as_slice().try_into().ok())
                .flatten()
            {
                headers.insert(name, value);
            }
        }
        let body = if is_post {
            mangled(&mut rng, &form)
        } else {
            Vec::new()
        };
        let Ok(request) = request.body(Body::from(body)) else {
            continue;
        };
        // Every answer is checked where it is received.
        let answer = site.send(request).await;
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{target}");
        seen.insert(answer.status.as_u16());
        sent += 1;
    }
    for status in [200, 303, 400, 401, 403, 404, 405] {
        assert!(seen.contains(&status), "{status}: {seen:?}");
    }
}
