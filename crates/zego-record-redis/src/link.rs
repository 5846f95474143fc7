//! The way to the server: requests with a deadline, on a connection that is replaced when in doubt.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::script::Call;

/// How long a new connection may take, login included. Requests do not wait for it longer than for
/// anything else.
const CONNECTING: Duration = Duration::from_secs(5);
/// The pause after a connection could not be made; it doubles each time, up to the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends requests; a clone sends them the same way.
#[derive(Clone)]
pub(crate) enum Link {
    /// Over a connection of our own.
    Own(Arc<Own>),
    /// Over one that the user has brought.
    Foreign(Arc<dyn Foreign>),
}

impl Link {
    pub(crate) fn own(client: Client) -> Self {
        Self::Own(Arc::new(Own {
            client,
            state: Mutex::default(),
        }))
    }

    pub(crate) fn foreign<C: ConnectionLike + Clone + Send + Sync + 'static>(
        connection: C,
    ) -> Self {
        Self::Foreign(Arc::new(connection))
    }

    /// Runs a script.
    pub(crate) async fn run(&self, call: Call, timeout: Duration) -> RedisResult<Value> {
        let link = self.clone();
        within(timeout, move |deadline| async move {
            match link.request(&call.by_hash(), deadline).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    link.request(&call.in_full(), deadline).await
                }
                result => result,
            }
        })
        .await
    }

    /// Runs a command.
    pub(crate) async fn ask(&self, command: Cmd, timeout: Duration) -> RedisResult<Value> {
        let link = self.clone();
        within(timeout, move |deadline| async move {
            link.request(&command, deadline).await
        })
        .await
    }

    async fn request(&self, command: &Cmd, deadline: Instant) -> RedisResult<Value> {
        match self {
            Self::Own(own) => own.request(command, deadline).await,
            Self::Foreign(foreign) => before(deadline, foreign.request(command)).await,
        }
    }
}

/// A connection that requests can share.
pub(crate) trait Foreign: Send + Sync {
    fn request<'a>(
        &'a self,
        command: &'a Cmd,
    ) -> Pin<Box<dyn Future<Output = RedisResult<Value>> + Send + 'a>>;
}

impl<C: ConnectionLike + Clone + Send + Sync> Foreign for C {
    fn request<'a>(
        &'a self,
        command: &'a Cmd,
    ) -> Pin<Box<dyn Future<Output = RedisResult<Value>> + Send + 'a>> {
        let mut connection = self.clone();
        Box::pin(async move { command.query_async(&mut connection).await })
    }
}

/// One connection that all requests share. The driver's own manager keeps a connection on which
/// requests time out, and one to a server that has become a replica; this one replaces both.
pub(crate) struct Own {
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Numbered>,
    made: u64,
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

/// The last attempt to connect.
struct Failure {
    error: RedisError,
    pause: Duration,
    until: Instant,
}

impl Own {
    /// If the connection turns out to be closed, once more on a new one: every step may be repeated.
    async fn request(&self, command: &Cmd, deadline: Instant) -> RedisResult<Value> {
        let first = self.request_once(command, deadline).await;
        match first {
            Err(error) if is_doubtful(&error) && !error.is_timeout() => {
                self.request_once(command, deadline).await
            }
            result => result,
        }
    }

    async fn request_once(&self, command: &Cmd, deadline: Instant) -> RedisResult<Value> {
        let Numbered {
            number,
            mut connection,
        } = self.connection(deadline).await?;
        let result = before(deadline, command.query_async(&mut connection)).await;
        if result.as_ref().is_err_and(is_doubtful) {
            let mut state = self.state.lock().await;
            // Others that wait for an answer have a clone, which closes when the last of them has gone.
            if let Some(current) = &state.connection
                && current.number == number
            {
                state.connection = None;
            }
        }
        result
    }

    /// The connection, or a new one. One request makes it and the others wait.
    async fn connection(&self, deadline: Instant) -> RedisResult<Numbered> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok(connection.clone());
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        if let Some(failure) = &state.failure {
            if failure.until > deadline {
                return Err(failure.error.clone());
            }
            sleep_until(failure.until).await;
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(None);
        let connected = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match connected.await {
            Ok(connection) => {
                state.failure = None;
                state.made += 1;
                let connection = Numbered {
                    number: state.made,
                    connection,
                };
                state.connection = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                let last = state.failure.take();
                let pause = last.map_or(FIRST_PAUSE, |last| (last.pause * 2).min(LONGEST_PAUSE));
                state.failure = Some(Failure {
                    error: error.clone(),
                    pause,
                    until: Instant::now() + pause,
                });
                Err(error)
            }
        }
    }
}

/// Whether another connection may do better: this one is closed or does not answer, or its server has
/// become a replica, and a failover may have moved the address to another one.
fn is_doubtful(error: &RedisError) -> bool {
    let moved = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown];
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::Server(kind) if moved.contains(&kind))
}

/// Runs a future in a task of its own: if the caller goes away, a connection that does not answer is
/// replaced all the same, and one that is being made is kept for the next request.
async fn within<F: Future<Output = RedisResult<Value>> + Send + 'static>(
    timeout: Duration,
    work: impl FnOnce(Instant) -> F,
) -> RedisResult<Value> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let deadline = Instant::now() + timeout.min(LONGEST);
    match timeout_at(deadline, tokio::spawn(work(deadline))).await {
        Ok(Ok(result)) => result,
        Ok(Err(stopped)) => Err(io::Error::other(stopped).into()),
        Err(_) => Err(timed_out()),
    }
}

/// Sends nothing when the deadline has passed: nobody waits for it any more.
async fn before(
    deadline: Instant,
    request: impl Future<Output = RedisResult<Value>>,
) -> RedisResult<Value> {
    if Instant::now() >= deadline {
        return Err(timed_out());
    }
    match timeout_at(deadline, request).await {
        Ok(result) => result,
        Err(_) => Err(timed_out()),
    }
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
