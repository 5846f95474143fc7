//! One connection to a server in the same thread, over a stream in memory.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::app::App;
use crate::response;

/// As much as the server may write before the client has read.
const STREAM_BUFFER: usize = 16 * 1024;

/// A client that does as little as possible: it writes a request's bytes and waits for the answer `1`.
pub struct Connection {
    stream: DuplexStream,
    received: Vec<u8>,
    tasks: LocalSet,
    runtime: Runtime,
}

impl Connection {
    /// Starts a server with one connection.
    pub fn open(app: App) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (stream, server) = tokio::io::duplex(STREAM_BUFFER);
        let tasks = LocalSet::new();
        tasks.spawn_local(app.serve_connection(server));
        Self {
            stream,
            received: Vec::with_capacity(1024),
            tasks,
            runtime,
        }
    }

    /// Sends requests, each after the answer to the one before it.
    ///
    /// # Panics
    ///
    /// If an answer is not `1`: a server that rejects would be measured as a fast one.
    pub fn exchange(&mut self, requests: impl Iterator<Item = Bytes>) {
        let Self {
            stream,
            received,
            tasks,
            runtime,
        } = self;
        tasks.block_on(runtime, async {
            for request in requests {
                stream.write_all(&request).await.expect("a server");
                received.clear();
                while !response::is_complete(received) {
                    let read = stream.read_buf(received).await.expect("a server");
                    assert_ne!(read, 0, "the server has closed the connection");
                }
            }
        });
    }
}
