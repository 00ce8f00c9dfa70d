//! A request as far as the door needs it, read from its head.

use super::origin;
use super::route::{NoRoute, Route, YJS_PATH, route};
use super::{Admitted, Credential, refused};
use crate::apps::documents::Wish;
use crate::apps::drafts::draft_id;
use crate::auth::{AuthFailure, SignedRequest, Stamp, User};
use crate::connection::Endpoint;
use crate::http::{RequestHead, Response, decode};
use crate::ids::{RequestId, TemplateId};
use crate::refusal::{Code, Refusal};
use crate::store::TemplateRow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;

/// The name of the header with a signature, as headers are looked for.
const SIGNATURE_HEADER_NAME: &str = "x-parlor-signature";
/// The most subprotocols that a client may offer.
const SUBPROTOCOLS_MAX: usize = 16;

/// What is asked, and by whom.
#[derive(Debug)]
pub struct Asked {
    /// The request.
    pub request: RequestId,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether it comes from this machine itself, as far as anybody can tell.
    pub local: bool,
    /// The page that asks.
    pub origin: Option<String>,
    /// What it is for.
    pub route: Route,
    /// Its credential.
    pub token: Result<Option<String>, AuthFailure>,
    /// Whether it stood in the header: a service key is taken from nowhere else.
    pub by_header: bool,
    /// The signature in place of the service key, if there is one, and what it is for; or that it is none.
    pub signed: Result<Option<Box<SignedRequest>>, AuthFailure>,
    /// Whether the subprotocol `bearer` was offered.
    pub bearer: bool,
    /// Whether a refusal comes as an upgrade and a close.
    pub by_close: bool,
    /// `Host`
    pub host: String,
    /// `dashboardId`
    pub dashboard: Option<String>,
    /// `templateId`
    pub template: Option<TemplateId>,
    /// The draft, as `draftId` or the path names it.
    pub draft: Option<String>,
    /// `session` and `stream`, or why not
    pub wish: Result<Wish, Refusal>,
    /// What media type is wanted.
    pub accept: String,
    /// `Idempotency-Key`
    pub key: Option<String>,
    /// What came with it.
    pub body: Bytes,
}

impl Asked {
    /// Reads a request. Without a route: why, and the page that asks.
    pub fn read(
        request: RequestId,
        address: IpAddr,
        head: &RequestHead,
        body: Bytes,
    ) -> Result<Self, (NoRoute, Option<String>)> {
        let origin = head.header("origin").map(str::to_string);
        let route = route(head).map_err(|no_route| (no_route, origin.clone()))?;
        let (token, bearer) = credential(head);
        let (by_close, draft) = (refuses_by_close(head, &route), named_draft(head, &route));
        Ok(Self {
            request,
            address,
            local: false,
            origin,
            route,
            token,
            by_header: bearers(head).next().is_some(),
            signed: signature(head, &body),
            bearer,
            by_close,
            host: head.header("host").unwrap_or_default().to_string(),
            dashboard: head.parameter("dashboardId"),
            template: head.parameter("templateId").filter(|id| !id.is_empty()).map(TemplateId::from),
            draft,
            wish: Wish::read(head.parameter("session").as_deref(), head.parameter("stream").as_deref()),
            accept: head.header("accept").unwrap_or_default().to_string(),
            key: head.header("idempotency-key").map(str::to_string),
            body,
        })
    }

    /// The kind of credential that it shows and that is to be looked at; or that is shown in what it opens.
    pub fn shown(&self) -> Option<Credential> {
        let (token, signed) = (!matches!(self.token, Ok(None)), !matches!(self.signed, Ok(None)));
        match &self.route {
            Route::Asset(_) | Route::Health | Route::Open(Endpoint::Echo) => None,
            Route::Open(Endpoint::Hocuspocus) => Some(Credential::Token),
            Route::Engine(call) => call.opens().then_some(Credential::Token),
            Route::Service(_) => (token || signed).then_some(Credential::Service),
            Route::User(_) if signed && !token => Some(Credential::Service),
            Route::User(call) if call.serves_backends() && self.may_be_key() => Some(Credential::Service),
            Route::Open(_) | Route::User(_) => token.then_some(Credential::Token),
        }
    }

    /// Whether what it shows looks like a service key: no JWT, and in the header.
    fn may_be_key(&self) -> bool {
        self.by_header && matches!(&self.token, Ok(Some(token)) if token.matches('.').count() != 2)
    }

    /// The connection that this request becomes, if it asks for one.
    pub fn admitted(
        &self,
        user: Option<Arc<User>>,
        template: Option<(TemplateRow, Wish)>,
    ) -> Option<Admitted> {
        let Route::Open(endpoint) = self.route else { return None };
        let Self { request, address, bearer, .. } = *self;
        let draft = self.draft.as_deref().and_then(|draft| draft_id(draft).ok());
        Some(Admitted { request, endpoint, user, address, bearer, template, draft, board: None })
    }
}

/// Whether a request comes from this machine and was not passed on for another one.
pub fn is_local(peer: IpAddr, head: &RequestHead) -> bool {
    let passed_on = |name: &str| name == "forwarded" || name.starts_with("x-forwarded-");
    peer.to_canonical().is_loopback() && !head.headers.iter().any(|(name, _)| passed_on(name))
}

/// A browser sees a refused upgrade only as 1006. Where drafts are shared a refusal is always a close (WIRE §0.3).
fn refuses_by_close(head: &RequestHead, route: &Route) -> bool {
    matches!(route, Route::Open(Endpoint::Drafts | Endpoint::YWebsocket))
        || head.parameter("refuse").as_deref() == Some("close")
}

fn named_draft(head: &RequestHead, route: &Route) -> Option<String> {
    let named = if *route == Route::Open(Endpoint::YWebsocket) {
        decode(head.path().strip_prefix(YJS_PATH)?, false)
    } else {
        head.parameter("draftId").filter(|_| *route == Route::Open(Endpoint::Drafts))
    };
    named.filter(|id| !id.is_empty())
}

/// Every token there is, in headers, query and subprotocols: all of them must be the same (WIRE §0.2). What is no
/// `Bearer` in a header is somebody else's, a proxy's perhaps. And whether the subprotocol `bearer` was offered.
fn credential(head: &RequestHead) -> (Result<Option<String>, AuthFailure>, bool) {
    let offered: Vec<&str> =
        head.all("sec-websocket-protocol").flat_map(|value| value.split(',')).map(str::trim).collect();
    let by_protocol: Vec<String> = match offered.len() <= SUBPROTOCOLS_MAX {
        true => {
            offered.windows(2).filter(|pair| pair[0] == "bearer").map(|pair| pair[1].to_string()).collect()
        }
        false => Vec::new(),
    };
    let bearer = !by_protocol.is_empty();
    let by_query = head.query().filter(|(name, _)| name == "token").map(|(_, token)| token);
    let mut given = bearers(head).map(str::to_string).chain(by_query).chain(by_protocol);
    let first = given.next();
    match given.all(|other| Some(&other) == first.as_ref()) {
        true => (Ok(first), bearer),
        false => (Err(AuthFailure::Disagreeing), bearer),
    }
}

/// The one signature of a request, with all that it is said to sign.
fn signature(head: &RequestHead, body: &Bytes) -> Result<Option<Box<SignedRequest>>, AuthFailure> {
    let mut all = head.all(SIGNATURE_HEADER_NAME);
    let Some(first) = all.next() else { return Ok(None) };
    let stamp = Stamp::parse(first).filter(|_| all.next().is_none()).ok_or(AuthFailure::Bad)?;
    let (method, target) = (head.method.clone(), head.target.clone());
    Ok(Some(Box::new(SignedRequest { stamp, method, target, body: body.clone() })))
}

/// What stands behind `Bearer` in the header.
fn bearers(head: &RequestHead) -> impl Iterator<Item = &str> {
    head.all("authorization").filter_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    })
}

/// What is wrong with a WebSocket's opening handshake (RFC 6455 §4.2.1), if something is.
pub fn bad_handshake(head: &RequestHead) -> Option<Response> {
    let refusal = |status, message| refused(status, &Refusal::new(Code::ClientError, message));
    if !head.is_upgrade() {
        return Some(refusal(426, "this is a WebSocket").with("upgrade", "websocket"));
    }
    if head.method != "GET" {
        return Some(refusal(405, "a WebSocket is opened with GET").with("allow", "GET"));
    }
    if head.header("sec-websocket-version") != Some("13") {
        return Some(refusal(426, "only version 13 is spoken here").with("sec-websocket-version", "13"));
    }
    let mut keys = head.all("sec-websocket-key");
    let key = keys.next().and_then(|key| STANDARD.decode(key).ok()).filter(|key| key.len() == 16);
    match key.is_some() && keys.next().is_none() {
        true => None,
        false => Some(refusal(400, "Sec-WebSocket-Key is not one key of 16 bytes")),
    }
}

/// The answer to a request that is for nothing.
pub fn no_route(why: &NoRoute) -> Response {
    match why {
        NoRoute::Unknown => refused(404, &Refusal::new(Code::NotFound, "there is nothing at this path")),
        NoRoute::Method(allow) => {
            refused(405, &Refusal::new(Code::ClientError, format!("only {allow} here"))).with("allow", *allow)
        }
        NoRoute::Preflight(allow) => origin::preflight(allow).with("allow", *allow),
        NoRoute::Parameter(what) => refused(400, &Refusal::new(Code::ClientError, *what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, headers: &str) -> Result<Option<String>, AuthFailure> {
        let text = format!("GET {line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        credential(&crate::http::parse_head(text.as_bytes()).expect("a good head").0).0
    }

    #[test]
    fn only_a_bearer_is_a_token() {
        let token = Ok(Some("t".to_string()));
        assert_eq!(found("/chat?token=t", "Authorization: Basic YTpi\r\n"), token);
        assert_eq!(found("/chat", "Authorization: Basic YTpi\r\nAuthorization: bearer t\r\n"), token);
        assert_eq!(found("/chat", "Sec-WebSocket-Protocol: x, bearer, t\r\n"), token);
        assert_eq!(found("/chat", "Authorization: Basic YTpi\r\n"), Ok(None));
        assert_eq!(found("/chat", "Authorization: Bearer\r\n"), Ok(None));
        assert_eq!(found("/chat", "Sec-WebSocket-Protocol: bearer\r\n"), Ok(None));
    }

    #[test]
    fn only_what_nobody_passed_on_is_local() {
        let (here, mapped) = (IpAddr::from([127, 0, 0, 1]), "::ffff:127.0.0.1".parse().expect("an address"));
        for (peer, headers, local) in [
            (here, "", true),
            (mapped, "", true),
            (IpAddr::from([192, 0, 2, 1]), "", false),
            (here, "Forwarded: for=192.0.2.1\r\n", false),
            (here, "X-Forwarded-Proto: https\r\n", false),
            (here, "x-forwarded-for: 127.0.0.1\r\n", false),
        ] {
            let text = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
            let (head, _) = crate::http::parse_head(text.as_bytes()).expect("a good head");
            assert_eq!(is_local(peer, &head), local, "{peer} {headers}");
        }
    }

    #[test]
    fn every_token_there_is_must_be_the_same() {
        let (one, other) = ("Authorization: Bearer t\r\n", "Authorization: Bearer u\r\n");
        let (protocol, protocols) =
            ("Sec-WebSocket-Protocol: bearer, t\r\n", "Sec-WebSocket-Protocol: bearer, t, bearer, u\r\n");
        for (line, headers) in [
            ("/chat", [one, other].concat()),
            ("/chat?token=t&token=u", String::new()),
            ("/chat?token=u", one.to_string()),
            ("/chat?token=t&token=u", [one, protocol].concat()),
            ("/chat", protocols.to_string()),
            ("/chat", [protocol, "Sec-WebSocket-Protocol: bearer, u\r\n"].concat()),
        ] {
            assert_eq!(found(line, &headers), Err(AuthFailure::Disagreeing), "{line} {headers}");
        }
        let same = found("/chat?token=t&token=t", &[one, one, protocol].concat());
        assert_eq!(same, Ok(Some("t".to_string())));
    }
}
