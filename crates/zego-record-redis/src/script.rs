//! The scripts, one for each step, and calls of them.

use redis::Cmd;

const RECORD_AND_CLAIM: &str = concat!(
    include_str!("scripts/record.lua"),
    include_str!("scripts/claim.lua")
);
const RECORD_AND_SETTLE: &str = concat!(
    include_str!("scripts/record.lua"),
    include_str!("scripts/settle.lua")
);

/// A script, and its SHA-1, by which a server knows it.
#[derive(Clone)]
pub(crate) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(crate) fn claim() -> Self {
        Self::new(RECORD_AND_CLAIM)
    }

    pub(crate) fn settle() -> Self {
        Self::new(RECORD_AND_SETTLE)
    }

    pub(crate) fn bind() -> Self {
        Self::new(include_str!("scripts/bind.lua"))
    }

    /// A call of it. All keys must be in one slot of a cluster.
    pub(crate) fn call(&self, keys: Vec<String>, arguments: Vec<Vec<u8>>) -> Call {
        Call {
            script: self.clone(),
            keys,
            arguments,
        }
    }

    fn new(text: &'static str) -> Self {
        Self {
            text,
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }
}

/// One run of a script.
pub(crate) struct Call {
    script: Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Call {
    /// For a server that knows the script.
    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// For any server; it knows the script from then on. In a cluster it is sent to the node that has
    /// the keys, which `SCRIPT LOAD` would not be.
    pub(crate) fn in_full(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for argument in &self.arguments {
            command.arg(argument);
        }
        command
    }
}
