//! The pages.

mod actions;
mod callback;
mod export;
mod list;
mod overview;
mod pause;
mod rejections;
mod sign_in;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::console::Shared;
use crate::guard::{Operator, guard};
use crate::problem::Problem;

/// All routes, below the console's path.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let path = |page: &str| format!("{}{page}", shared.path);
    let mut router = Router::new()
        .route(&path("/"), get(overview::overview))
        .route(&path("/callbacks"), get(list::list))
        .route(&path("/callbacks/{key}"), get(callback::callback))
        .route(&path("/rejections"), get(rejections::rejections))
        .route(
            &path("/redeliver"),
            get(actions::confirm_redeliver).post(actions::redeliver),
        )
        .route(
            &path("/discard"),
            get(actions::confirm_discard).post(actions::discard),
        )
        .route(
            &path("/pause"),
            get(pause::confirm_pause).post(pause::pause),
        )
        .route(
            &path("/resume"),
            get(pause::confirm_resume).post(pause::resume),
        )
        .route(&path("/export"), get(export::export))
        .route(&path("/login"), get(sign_in::link).post(sign_in::form))
        .route(
            &path("/logout"),
            get(sign_in::confirm_out).post(sign_in::out),
        )
        .route(&path("/style.css"), get(style))
        .route(&path("/icon.svg"), get(icon))
        .route(&path("/{*other}"), get(nothing));
    if !shared.path.is_empty() {
        router = router.route(&shared.path, get(overview::overview));
    }
    router
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared.clone())
}

/// What stands around the content of every page.
#[derive(Clone, Debug)]
struct Layout {
    base: String,
    /// Which entry of the navigation this page is.
    current: &'static str,
    /// `None` if nobody is signed in.
    operator: Option<Operator>,
    read_only: bool,
    has_rejections: bool,
}

impl Layout {
    fn new(shared: &Shared, operator: &Operator, current: &'static str) -> Self {
        Self {
            operator: Some(operator.clone()),
            ..Self::signed_out(shared, current)
        }
    }

    fn signed_out(shared: &Shared, current: &'static str) -> Self {
        Self {
            base: shared.path.clone(),
            current,
            operator: None,
            read_only: shared.read_only,
            has_rejections: shared.rejections.is_some(),
        }
    }

    fn form_token(&self) -> &str {
        let operator = self.operator.as_ref();
        operator.map_or("", |operator| &operator.form_token)
    }

    fn can_sign_out(&self) -> bool {
        self.operator
            .as_ref()
            .is_some_and(|operator| operator.can_sign_out)
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    layout: Layout,
    title: &'static str,
    text: &'a str,
}

/// The page of a problem, for [`guard`].
pub(crate) fn problem(shared: &Shared, problem: &Problem) -> Response {
    let layout = Layout::signed_out(shared, "");
    let mut response = if problem.sign_in {
        sign_in::page(layout, &problem.text)
    } else {
        let (title, text) = (problem.title, &*problem.text);
        page(&ProblemPage {
            layout,
            title,
            text,
        })
    };
    if problem.status == StatusCode::UNAUTHORIZED {
        let challenge = header::HeaderValue::from_static("Bearer realm=\"zego-record\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    *response.status_mut() = problem.status;
    response
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page cannot be rendered",
        )
            .into_response(),
    }
}

async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("../../assets/style.css"),
    )
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../../assets/icon.svg"))
}

async fn nothing() -> Problem {
    Problem::not_found("There is no such page.")
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

/// `12,345 callbacks`
fn callbacks(number: u64) -> String {
    let noun = if number == 1 { "callback" } else { "callbacks" };
    format!("{} {noun}", thousands(number))
}

/// `12,345`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(
            (callbacks(1), callbacks(2)),
            ("1 callback".to_owned(), "2 callbacks".to_owned())
        );
    }
}
