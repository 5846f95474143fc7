//! The binary: hands the process's arguments and streams to the library.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use zego_record_cli::Io;

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = (io::stdin(), io::stdout(), io::stderr());
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let mut io = Io {
        out_color: stdout.is_terminal() && !no_color,
        err_color: stderr.is_terminal() && !no_color,
        progress: stderr.is_terminal(),
        input_is_terminal: stdin.is_terminal(),
        width: terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0.max(40))),
        input: &mut stdin,
        out: &mut stdout,
        err: &mut stderr,
    };
    zego_record_cli::run(std::env::args_os(), &mut io).into()
}
