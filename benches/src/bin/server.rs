//! `server FRAMEWORK EXTENT`: serves on loopback, prints its port, and ends with its standard input.

#![allow(clippy::expect_used, reason = "a failure ends the measurement")]
#![allow(clippy::print_stdout, reason = "the port is its result")]

use std::env;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::thread;

use zego_record_benches::app::{App, Extent, Framework};
use zego_record_benches::load;
use zego_record_core::WireForm;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [framework, extent] = &arguments[..] else {
        panic!("usage: server FRAMEWORK EXTENT");
    };
    let framework = Framework::ALL
        .into_iter()
        .find(|known| known.name() == framework);
    let extent = Extent::ALL.into_iter().find(|known| known.name() == extent);
    let (framework, extent) = framework.zip(extent).expect("a framework and an extent");
    let app = App::new(framework, extent, WireForm::Json).expect("the framework has that");

    load::pin(0);
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    listener.set_nonblocking(true).expect("a socket option");
    println!("{}", listener.local_addr().expect("an address").port());
    app.serve(listener);
}
