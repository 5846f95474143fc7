//! What stands before every page: hosts, sign-in, forms, and the headers of every answer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use zego_record_core::ConfigError;
use zego_record_receiver::support::{RateLimit, catch};

use crate::console::Shared;
use crate::log;
use crate::origin::is_same_origin;
use crate::pages;
use crate::problem::Problem;
use crate::query::Pairs;
use crate::session::Sessions;
use crate::token::Token;

const MAX_URI: usize = 4_096;
const MAX_FORM: usize = 16 * 1_024;
const FORM_DEADLINE: Duration = Duration::from_secs(10);

const HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With no-referrer, browsers send `Origin: null` with a form.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Stands around all routes: rejects foreign hosts, shows problems, and sets the headers of every
/// answer.
pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match admit(&shared, &parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => axum::response::IntoResponse::into_response(problem),
    };
    let problem = response.extensions_mut().remove::<Problem>();
    // What axum answers by itself is no page.
    let is_html = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/html");
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(is_html);
    let other = || Problem::of_status(response.status()).filter(|_| !is_page);
    if let Some(problem) = problem.or_else(other) {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = pages::problem(&shared, &problem);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn admit(shared: &Shared, parts: &Parts) -> Result<(), Problem> {
    let authority = shared.hosts.check(parts).ok_or_else(|| {
        Problem::forbidden(
            "The page is not served under this host name. If it is yours, add it to the allowed hosts.",
        )
    })?;
    let uri = &parts.uri;
    if uri.path().len() + uri.query().map_or(0, str::len) > MAX_URI {
        let text = format!("The address is longer than {MAX_URI} bytes.");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "Too long", text));
    }
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    if !is_read && !is_same_origin(&parts.headers, &authority) {
        let text = "The form was sent by another site. If it was not, a proxy has changed the header Host or Origin.";
        return Err(Problem::forbidden(text));
    }
    Ok(())
}

/// A login of the user's own.
pub(crate) struct Login(pub(crate) WhoSends);

type WhoSends = Box<dyn Fn(&Parts) -> Option<String> + Send + Sync>;

/// Who is let in.
pub(crate) struct Access {
    token: Option<Token>,
    login: Option<Login>,
    sessions: Sessions,
    wrong: RateLimit,
    started: Instant,
}

impl Access {
    pub(crate) fn new(token: Option<Token>, login: Option<Login>, sessions: Sessions) -> Self {
        Self {
            token,
            login,
            sessions,
            wrong: RateLimit::new(5),
            started: Instant::now(),
        }
    }

    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The cookie of a new session, if this is the token.
    pub(crate) fn sign_in(&self, given: &str, who: &str) -> Result<String, Problem> {
        if !self.is_token(given, who) {
            return Err(Problem::sign_in("This is not the token."));
        }
        let failed = |error: ConfigError| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "This did not work",
                error.to_string(),
            )
        };
        self.sessions.start(SystemTime::now()).map_err(failed)
    }

    pub(crate) fn sign_out(&self) -> String {
        self.sessions.end()
    }

    fn is_token(&self, given: &str, who: &str) -> bool {
        let right = self
            .token
            .as_ref()
            .is_some_and(|token| token.matches(given));
        if !right && let Some(suppressed) = self.wrong.allow(self.started.elapsed()) {
            log::wrong_token(who, suppressed);
        }
        right
    }

    fn operator(&self, parts: &Parts) -> Option<Operator> {
        if let Some(login) = &self.login
            && let Some(who) = catch(|| (login.0)(parts)).flatten()
        {
            let session = format!("login {who}");
            return Some(self.operator_of(who, &session, false));
        }
        self.token.as_ref()?;
        if let Some(session) = self.sessions.find(&parts.headers, SystemTime::now()) {
            return Some(self.operator_of(who(parts), &session, true));
        }
        let given = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, given) = given.split_once(' ')?;
        let who = who(parts);
        let right = scheme.eq_ignore_ascii_case("bearer") && self.is_token(given.trim(), &who);
        right.then(|| self.operator_of(who, "bearer", false))
    }

    fn operator_of(&self, who: String, session: &str, can_sign_out: bool) -> Operator {
        Operator {
            who,
            session: session.to_owned(),
            form_token: self.sessions.form_token(session),
            can_sign_out,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("token", &self.token)
            .field("login", &self.login.is_some())
            .finish_non_exhaustive()
    }
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) who: String,
    pub(crate) form_token: String,
    pub(crate) can_sign_out: bool,
    session: String,
}

impl FromRequestParts<Arc<Shared>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        shared
            .access
            .operator(parts)
            .ok_or_else(|| match shared.access.token() {
                Some(_) => Problem::sign_in(""),
                None => Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "Sign in",
                    "Sign in to the application that this page belongs to.",
                ),
            })
    }
}

/// The address of a connection, if the server provides it.
pub(crate) fn who(parts: &Parts) -> String {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    address.map_or_else(
        || "operator".to_owned(),
        |ConnectInfo(address)| address.to_string(),
    )
}

/// A form of somebody who need not be signed in.
pub(crate) struct OpenForm {
    pub(crate) pairs: Pairs,
    pub(crate) who: String,
}

impl FromRequest<Arc<Shared>> for OpenForm {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let pairs = read_form(body).await?;
        Ok(Self {
            pairs,
            who: who(&parts),
        })
    }
}

/// A form of somebody who is signed in, and that a page of theirs has made.
pub(crate) struct Form {
    pub(crate) pairs: Pairs,
    pub(crate) operator: Operator,
}

impl FromRequest<Arc<Shared>> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let operator = Operator::from_request_parts(&mut parts, shared).await?;
        let pairs = read_form(body).await?;
        let given = pairs.get("form_token");
        if !shared
            .access
            .sessions
            .is_form_token(&operator.session, given)
        {
            let text = "The form is not from a page of this session. Load the page again, and send it from there.";
            return Err(Problem::forbidden(text));
        }
        Ok(Self { pairs, operator })
    }
}

async fn read_form(body: Body) -> Result<Pairs, Problem> {
    let read = tokio::time::timeout(FORM_DEADLINE, to_bytes(body, MAX_FORM)).await;
    let Ok(read) = read else {
        let text = "The form was not complete in time.";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", text));
    };
    let bytes = read.map_err(|_| {
        let text = format!("The form is longer than {MAX_FORM} bytes, or was not complete.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Too long", text)
    })?;
    let text = std::str::from_utf8(&bytes);
    Pairs::read(text.map_err(|_| Problem::bad_request("The form is not UTF-8."))?)
}
