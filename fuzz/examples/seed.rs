//! Writes the golden table as seeds: `seed DIRECTORY` makes a folder in it for each target.

use std::io;
use std::path::PathBuf;
use std::{env, fs};

use zego_record_fuzz::seeds;

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: seed DIRECTORY"));
    };
    for (target, seeds) in seeds::all() {
        let directory = directory.join(target);
        fs::create_dir_all(&directory)?;
        for (name, input) in seeds {
            fs::write(directory.join(name), input)?;
        }
    }
    Ok(())
}
