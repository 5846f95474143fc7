//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::{Layout, page as render};
use crate::console::Shared;
use crate::guard::{Form, OpenForm, Operator, who};
use crate::problem::Problem;
use crate::query::Pairs;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    layout: Layout,
    problem: &'a str,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedIn {
    layout: Layout,
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut {
    layout: Layout,
}

/// The form, with what was wrong.
pub(super) fn page(layout: Layout, problem: &str) -> Response {
    render(&SignIn { layout, problem })
}

/// The link of [`Console::login_url`](crate::Console::login_url). It answers with a page and not
/// with a redirect: after a link from elsewhere, a browser does not send a `SameSite=Strict` cookie
/// until somebody goes on from here.
pub(super) async fn link(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let pairs = Pairs::read(query.as_deref().unwrap_or_default())?;
    if pairs.get("token").is_empty() {
        return Ok(page(Layout::signed_out(&shared, ""), ""));
    }
    let cookie = shared.access.sign_in(pairs.get("token"), &who(&parts))?;
    let layout = Layout::signed_out(&shared, "");
    with_cookie(render(&SignedIn { layout }), &cookie)
}

pub(super) async fn form(
    State(shared): State<Arc<Shared>>,
    form: OpenForm,
) -> Result<Response, Problem> {
    let token = form.pairs.get("token").trim();
    let cookie = shared.access.sign_in(token, &form.who)?;
    let overview = Redirect::to(&format!("{}/", shared.path));
    with_cookie(overview.into_response(), &cookie)
}

pub(super) async fn confirm_out(State(shared): State<Arc<Shared>>, operator: Operator) -> Response {
    let layout = Layout::new(&shared, &operator, "");
    render(&SignOut { layout })
}

pub(super) async fn out(State(shared): State<Arc<Shared>>, _: Form) -> Result<Response, Problem> {
    let login = Redirect::to(&format!("{}/login", shared.path));
    with_cookie(login.into_response(), &shared.access.sign_out())
}

fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Problem> {
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "This did not work", "");
    let cookie = HeaderValue::try_from(cookie).map_err(failed)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
