//! Programs of this workspace, for tests that run them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

/// Built here, since a test has no other way to find a program of another package. With the features that
/// the test run has, so that there is nothing left to do but to link.
pub(crate) fn built(program: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--all-features"])
            .args(["--examples", "--bins"])
            .status()
            .unwrap();
        assert!(build.success());
    });
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join(program)
}
