//! A private Chromium for tests, without a window, in a directory of its own. It ends with the
//! thread that has started it, however that ends.

// Everything here is a test.
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// The size and the colours of a screen.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// How many CSS pixels it is wide.
    pub width: u32,
    /// How many it is high.
    pub height: u32,
    /// Whether its user prefers a dark scheme.
    pub dark: bool,
}

/// A browser, and the driver that steers it.
#[derive(Debug)]
pub struct Browser {
    /// What steers the browser.
    pub client: Client,
    driver: Child,
    directory: PathBuf,
}

impl Browser {
    /// Starts a browser for which the name `evil.example` is this machine; `None` if
    /// `ZEGO_TEST_SKIP` names it.
    pub async fn start(screen: Screen) -> Option<Self> {
        if zego_record_test_servers::is_skipped("browser") {
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zego-record-browser-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let (driver, port) = start_driver();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(screen, &directory));
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await;
        Some(Self {
            client: client.expect("the browser must start"),
            driver,
            directory,
        })
    }

    /// The element, as soon as it is there.
    pub async fn find(&self, what: Locator<'_>) -> Element {
        let begin = Instant::now();
        loop {
            // Besides that it is not there yet: the page may be on its way out.
            match self.client.find(what).await {
                Ok(element) => return element,
                Err(error) if begin.elapsed() > PATIENCE => panic!("{what:?}: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Clicks, and waits for the page whose title begins like this.
    pub async fn click(&self, what: Locator<'_>, title: &str) {
        self.find(what).await.click().await.unwrap();
        self.arrive(title).await;
    }

    /// Waits for the page whose title begins like this.
    pub async fn arrive(&self, title: &str) {
        let title = format!("//title[starts-with(., '{title}')]");
        self.find(Locator::XPath(&title)).await;
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Keeps what is seen as `target/screenshots/NAME.png`, for people to look at.
    pub async fn screenshot(&self, name: &str) {
        let image = self.client.screenshot().await.unwrap();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
            PathBuf::from,
        );
        let directory = target.join("screenshots");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}.png")), image).unwrap();
    }

    /// Ends the browser.
    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The driver, and the port that it has chosen.
fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "chromedriver", "--port=0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("setpriv must be there");
    let output = BufReader::new(driver.stdout.take().unwrap());
    let port = output.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        let _ = driver.wait();
    }
    let advice =
        "chromedriver did not start: ./test installs it, or ZEGO_TEST_SKIP=browser skips its tests";
    (driver, port.expect(advice))
}

fn capabilities(screen: Screen, directory: &std::path::Path) -> fantoccini::wd::Capabilities {
    let colours = if screen.dark { 0 } else { 1 };
    let arguments = json!([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        // It ends when the driver does.
        "--remote-debugging-pipe",
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
        format!("--blink-settings=preferredColorScheme={colours}"),
        format!("--user-data-dir={}", directory.display()),
    ]);
    let metrics = json!({"width": screen.width, "height": screen.height, "pixelRatio": 1.0, "mobile": screen.width < 500});
    let options = json!({"args": arguments, "mobileEmulation": {"deviceMetrics": metrics}});
    let mut capabilities = fantoccini::wd::Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities
}
