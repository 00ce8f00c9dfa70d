//! How services are called over HTTP: one connection for one attempt, no redirects, an answer that is read up to
//! a limit.

use crate::patience::Deadline;
use parlor_protocol::call::{CallFailure, Said};
use std::io::{self, Read};
use std::time::Duration;
use ureq::config::ConfigBuilder;
use ureq::http::{Response, header};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};
use ureq::{Agent, Body, Error};

/// A connection serves one attempt: what a service sends after its answer must never be taken for the answer
/// to the next. A proxy would be a setting, and there is none.
pub(crate) fn agent(patience: Duration) -> Agent {
    configuration().timeout_global(Some(patience)).build().new_agent()
}

/// The same for an attempt that is read until a deadline, which may move on. To connect it has `patience`, and as a
/// whole so long.
pub(crate) fn until(deadline: &Deadline, patience: Duration, whole: Duration) -> Agent {
    let configuration = configuration()
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_per_write(Some(patience))
        .timeout_global(Some(whole));
    let connector = TcpConnector::default().chain(deadline.clone()).chain(RustlsConnector::default());
    Agent::with_parts(configuration.build(), connector, DefaultResolver::default())
}

fn configuration() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(concat!("parlor/", env!("CARGO_PKG_VERSION")))
}

/// What an answer says, by `read` of status, `Retry-After` and body. Only the body behind 200 is read, up to one
/// byte above `bytes_max`.
pub(crate) fn said(
    answer: Result<Response<Body>, Error>,
    bytes_max: usize,
    read: impl FnOnce(u16, Option<&str>, &[u8]) -> Said,
) -> Said {
    let mut response = match answer {
        Ok(response) => response,
        Err(error) => return Said::Failed(failure(&error)),
    };
    let status = response.status().as_u16();
    let mut body = Vec::new();
    if status == 200 && bytes_max > 0 {
        let limit = bytes_max as u64 + 1;
        if let Err(error) = response.body_mut().as_reader().take(limit).read_to_end(&mut body) {
            return Said::Failed(broken_off(&error));
        }
    }
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    read(status, retry_after, &body)
}

/// What a body that could not be read to its end is.
pub(crate) fn broken_off(error: &io::Error) -> CallFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => failure(error),
        None => CallFailure::Passing { retry_after: None },
    }
}

/// What is no HTTP is an answer, though a bad one; everything else is a connection that failed or took too long.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn failure(error: &Error) -> CallFailure {
    match error {
        Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::Http(_) | Error::RedirectFailed => {
            CallFailure::BadReply(error.to_string())
        }
        _ => CallFailure::Passing { retry_after: None },
    }
}
