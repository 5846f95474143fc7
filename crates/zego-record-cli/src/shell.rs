//! `completions` and `man`: what a shell and `man` have to know, generated from the options themselves.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::Status;
use crate::error::Error;
use crate::io::Io;

/// Print completions for a shell
///
/// The script goes to standard output. See your shell's manual for where it belongs.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: bash, for the current user
  zego-record completions bash > ~/.local/share/bash-completion/completions/zego-record

Example: zsh and fish
  zego-record completions zsh > ~/.zfunc/_zego-record
  zego-record completions fish > ~/.config/fish/completions/zego-record.fish")]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write man pages into a directory
///
/// One page for the program and one for each command, as zego-record.1 and zego-record-COMMAND.1.
#[derive(Args, Debug)]
#[command(after_help = "\
Example: for the current user
  zego-record man ~/.local/share/man/man1
  man zego-record-send")]
pub struct ManArgs {
    /// Where to write them; it is made if it is not there
    dir: PathBuf,
}

pub(crate) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
    io: &mut Io<'_>,
) -> Result<Status, Error> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    io.out.write_all(&script)?;
    Ok(Status::Fine)
}

pub(crate) fn man(args: &ManArgs, command: Command, io: &mut Io<'_>) -> Result<Status, Error> {
    let cannot = |error| {
        let what = format!("cannot write man pages to {}", args.dir.display());
        Error::with_source(what, error)
    };
    fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(command.disable_help_subcommand(true), &args.dir).map_err(cannot)?;
    writeln!(io.out, "man pages are in {}", args.dir.display())?;
    Ok(Status::Fine)
}
