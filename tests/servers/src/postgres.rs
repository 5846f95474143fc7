//! A PostgreSQL server.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Certificates, Proxy, Relay, process};

const PASSWORD: &str = "only-for-tests";
const START: Duration = Duration::from_secs(60);

/// A server of its own.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    options: Vec<String>,
    server: Mutex<Option<Child>>,
}

impl Postgres {
    /// The server that the tests of one binary share, or `None` if it is skipped explicitly.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[])).as_ref()
    }

    /// A server with these options, such as `fsync=off`, or `None` if it is skipped explicitly.
    pub fn start(options: &[&str]) -> Option<Self> {
        if crate::is_skipped("postgres") {
            return None;
        }
        let directory = new_directory();
        let postgres = Self {
            port: crate::free_port(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            server: Mutex::new(None),
            directory,
        };
        postgres.create();
        postgres.resume();
        Some(postgres)
    }

    /// A server that accepts encrypted connections alone, with a login by SCRAM, or `None` if it is skipped
    /// explicitly.
    pub fn with_tls(certificates: &Certificates) -> Option<Self> {
        let mut server = Self::start(&[])?;
        server.stop_immediately();
        let own = fs::metadata(server.data()).unwrap();
        for (name, text) in [
            ("server.crt", certificates.certificate.as_str()),
            ("server.key", &certificates.key),
            (
                "pg_hba.conf",
                "hostssl all all 127.0.0.1/32 scram-sha-256\n",
            ),
        ] {
            let path = server.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(own.uid()), Some(own.gid())).unwrap();
        }
        server.options.push("ssl=on".into());
        server.resume();
        Some(server)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_with_password(PASSWORD)
    }

    /// Its URL with another password.
    pub fn url_with_password(&self, password: &str) -> String {
        url(password, self.port)
    }

    /// A relay before it, and its URL by way of the relay.
    pub fn behind_relay(&self) -> (Relay, String) {
        let relay = Relay::start(self.port);
        let url = url(PASSWORD, relay.port());
        (relay, url)
    }

    /// A proxy before it, and its URL by way of the proxy.
    pub fn behind_proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::start(self.port);
        let url = url(PASSWORD, proxy.port());
        (proxy, url)
    }

    /// The name of a schema that no other test uses.
    pub fn new_schema(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Stops it as a crash does: connections are cut, and nothing more is written.
    pub fn stop_immediately(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            let _ = Command::new("kill")
                .args(["-QUIT", &server.id().to_string()])
                .status();
            server.wait().unwrap();
        }
    }

    /// Starts it again as a standby, which only reads; its primary is never there.
    pub fn become_standby(&self) {
        self.stop_immediately();
        let own = fs::metadata(self.data()).unwrap();
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "").unwrap();
        chown(&signal, Some(own.uid()), Some(own.gid())).unwrap();
        self.resume();
    }

    /// Starts it again after a stop.
    pub fn resume(&self) {
        let mut command = as_server_user();
        command
            .args(["--pdeathsig", "QUIT"])
            .arg(program("postgres"));
        command.arg("-D").arg(self.data());
        command.arg("-c").arg(format!("port={}", self.port));
        let socket = format!("unix_socket_directories={}", self.directory.display());
        for option in ["listen_addresses=127.0.0.1", &socket, "max_connections=60"] {
            command.args(["-c", option]);
        }
        for option in &self.options {
            command.args(["-c", option]);
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        command.stdout(Stdio::null()).stderr(log);
        *self.server.lock().unwrap() = Some(process::spawn(command));
        self.wait_until_ready();
    }

    fn create(&self) {
        let password = self.directory.join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let made = as_server_user()
            .arg(program("initdb"))
            .args([
                "--username=tester",
                "--auth=password",
                "--encoding=UTF8",
                "--no-locale",
            ])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(self.data())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    fn wait_until_ready(&self) {
        let begin = Instant::now();
        let is_ready = || {
            let port = self.port.to_string();
            let ready = Command::new(program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            ready.unwrap().success()
        };
        while !is_ready() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            assert!(begin.elapsed() < START, "PostgreSQL did not start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }
}

fn url(password: &str, port: u16) -> String {
    format!("postgres://tester:{password}@127.0.0.1:{port}/postgres")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_immediately();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Runs what follows as a user that PostgreSQL accepts: `postgres` if we are root, else ourselves.
fn as_server_user() -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command
}

fn is_root() -> bool {
    id(&["-u"]) == 0
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// A directory of the server's user.
fn new_directory() -> PathBuf {
    let directory = process::new_directory("postgres");
    if is_root() {
        chown(
            &directory,
            Some(id(&["-u", "postgres"])),
            Some(id(&["-g", "postgres"])),
        )
        .unwrap();
    }
    directory
}

/// Where Debian puts PostgreSQL's programs, else whatever stands on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .collect();
    found.extend(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|path| path.join(name)),
    );
    let found = found.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("this test needs PostgreSQL ({name} was not found): run ./test, or set ZEGO_TEST_SKIP=postgres")
    })
}
