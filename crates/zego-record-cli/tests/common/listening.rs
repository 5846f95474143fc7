//! `listen` as a process that a test talks to.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};

use serde_json::Value;

use super::{Said, run, zego_record};

/// `listen` on a port of its own.
pub(crate) struct Listening {
    child: Child,
    pub(crate) url: String,
}

impl Listening {
    pub(crate) fn start(args: &[&str]) -> Self {
        let args = [&["listen", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = zego_record(&args).spawn().unwrap();
        let mut line = String::new();
        // Byte by byte, so that what comes later stays in the pipe.
        let mut stderr = BufReader::with_capacity(1, child.stderr.as_mut().unwrap());
        stderr.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line}"));
        let url = format!("{address}/zego/record");
        Self { child, url }
    }

    pub(crate) fn send(&self, args: &[&str]) -> Said {
        run(&[&["send", &self.url, "--json", "--speed", "100"], args].concat())
    }

    pub(crate) fn stop(mut self, signal: &str) -> Said {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        Said {
            status: self.child.wait().unwrap().code(),
            out,
            err,
        }
    }
}

pub(crate) fn lines(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn kinds(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect()
}

impl Drop for Listening {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
