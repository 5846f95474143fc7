//! The command line: which commands there are, and what their outcome is for the shell.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::{Error, chain};
use crate::io::{Io, Tone, paint, printable};
use crate::{check, demo, listen, resend, send, shell, sign, verify};
#[cfg(feature = "serve")]
use crate::{inbox, serve};

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is as it should be.
    Fine,
    /// A check failed.
    CheckFailed,
    /// Wrong usage or configuration, or the output could not be written.
    Unusable,
}

impl Status {
    pub(crate) const fn of_check(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::CheckFailed }
    }

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::CheckFailed => 1,
            Self::Unusable => 2,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// Runs the command that `args`, the program's name first, ask for.
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>, io: &mut Io<'_>) -> Status {
    let outcome = match Cli::try_parse_from(args) {
        Ok(cli) => cli.run(io),
        Err(error) => show_usage(&error, io),
    };
    outcome.unwrap_or_else(|error| {
        if !error.is_broken_pipe() {
            let label = paint(io.err_color, Tone::Bad, "error:");
            // Nothing is left to complain to when standard error is gone as well.
            let _ = writeln!(io.err, "{label} {}", printable(&chain(&error)));
        }
        Status::Unusable
    })
}

/// Tools for ZEGOCLOUD's recording callbacks: a fake ZEGOCLOUD, a receiver, and a doctor for signatures
#[derive(Debug, Parser)]
#[command(
    name = "zego-record",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Exit status: 0 all is fine, 1 a check failed, 2 wrong usage or configuration

Example: see it work, without a secret or an account
  zego-record demo

Example: send three callbacks to a receiver on this machine, with retries a hundred times as fast
  export ZEGO_CALLBACK_SECRET=the-callback-secret-from-the-console
  zego-record send http://127.0.0.1:3000/zego/record --count 3 --speed 100")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Check(check::CheckArgs),
    #[cfg(feature = "serve")]
    Inbox(inbox::InboxArgs),
    Listen(listen::ListenArgs),
    Resend(resend::ResendArgs),
    Send(send::SendArgs),
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

impl Cli {
    fn run(&self, io: &mut Io<'_>) -> Result<Status, Error> {
        match &self.command {
            Command::Check(args) => check::run(args, io),
            Command::Completions(args) => shell::completions(args, Self::command(), io),
            Command::Demo(args) => demo::run(args, io),
            #[cfg(feature = "serve")]
            Command::Inbox(args) => inbox::run(args, io),
            Command::Listen(args) => listen::run(args, io),
            Command::Man(args) => shell::man(args, Self::command(), io),
            Command::Resend(args) => resend::run(args, io),
            Command::Send(args) => send::run(args, io),
            #[cfg(feature = "serve")]
            Command::Serve(args) => serve::run(args, io),
            Command::Sign(args) => sign::run(args, io),
            Command::Verify(args) => verify::run(args, io),
        }
    }
}

/// Help and version are results and go to standard output; anything else is wrong usage.
fn show_usage(error: &clap::Error, io: &mut Io<'_>) -> Result<Status, Error> {
    let text = |color| {
        let text = error.render();
        if color {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    };
    if error.use_stderr() {
        write!(io.err, "{}", text(io.err_color))?;
        Ok(Status::Unusable)
    } else {
        write!(io.out, "{}", text(io.out_color))?;
        Ok(Status::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed_and_each_has_an_example() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        cli.build();
        for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
            let help = command.clone().render_long_help().to_string();
            let example = format!("\n  zego-record {}", command.get_name());
            assert!(help.contains("Example"), "{help}");
            assert!(help.contains(&example), "{help}");
            let prints_a_result = !["completions", "man"].contains(&command.get_name());
            assert_eq!(help.contains("--json"), prints_a_result, "{help}");
            let short = command.clone().render_help().to_string();
            assert!(short.contains(&example), "{short}");
        }
    }
}
