//! What scanners say of a file (WIRE §2). Whatever is not plainly a verdict is a failure, so that nothing is let
//! through by mistake.

use super::{Said, answered};
use crate::json;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long all scanners together may take over one file.
pub const SCAN_WAIT_MAX: Duration = Duration::from_secs(30);
/// The largest verdict over HTTP that is read.
pub const VERDICT_BYTES_MAX: usize = 64 * 1024;
/// The longest reply of clamd that is read.
pub const CLAMD_REPLY_BYTES_MAX: usize = 4 * 1024;
/// The longest name of what was found, in bytes.
const SIGNATURE_BYTES_MAX: usize = 255;

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scanned {
    /// Nothing was found.
    Clean,
    /// Something was found.
    Infected {
        /// What it is called, printable and at most 255 bytes.
        signature: Option<String>,
    },
}

/// Reads what a scanner at `FILE_SCAN_URL` answered: status, `Retry-After` if it was given, and the body, cut off
/// one byte above `VERDICT_BYTES_MAX`.
pub fn read_verdict(status: u16, retry_after: Option<&str>, body: &[u8]) -> Said {
    answered(status, retry_after, || verdict(body).map(Said::Scanned))
}

/// Reads what clamd replied to `INSTREAM`: all until it hung up, without the zero byte that ends it. clamd says
/// `stream: OK`, `stream: NAME FOUND`, or something that ends in `ERROR`.
pub fn read_clamd(reply: &[u8]) -> Result<Scanned, String> {
    let text = std::str::from_utf8(reply).map_err(|_| "a reply that is not UTF-8".to_string())?;
    match text.strip_prefix("stream: ") {
        Some("OK") => Ok(Scanned::Clean),
        Some(verdict) if verdict.ends_with(" FOUND") => {
            let name = verdict.strip_suffix(" FOUND").unwrap_or_default();
            Ok(Scanned::Infected { signature: signature(name) })
        }
        Some(_) | None => Err(format!("clamd said {:?}", shown(text))),
    }
}

/// The verdict as the scanner spells it.
#[derive(Deserialize)]
struct Verdict {
    clean: bool,
    signature: Option<serde_json::Value>,
}

fn verdict(body: &[u8]) -> Result<Scanned, String> {
    if body.len() > VERDICT_BYTES_MAX {
        return Err(format!("a verdict of over {VERDICT_BYTES_MAX} bytes"));
    }
    json::check(body)?;
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let Verdict { clean, signature: name } = json::object(text)?;
    Ok(match clean {
        true => Scanned::Clean,
        false => Scanned::Infected { signature: name.as_ref().and_then(|name| signature(name.as_str()?)) },
    })
}

fn signature(name: &str) -> Option<String> {
    let good = !name.is_empty() && name.len() <= SIGNATURE_BYTES_MAX && !name.chars().any(char::is_control);
    good.then(|| name.to_string())
}

/// Enough of it for an operator.
fn shown(text: &str) -> String {
    text.chars().take(SIGNATURE_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallFailure;

    fn infected(signature: Option<&str>) -> Scanned {
        Scanned::Infected { signature: signature.map(str::to_string) }
    }

    #[test]
    fn clamd_calls_a_file_clean_with_two_letters_and_nothing_else() {
        assert_eq!(read_clamd(b"stream: OK"), Ok(Scanned::Clean));
        assert_eq!(read_clamd(b"stream: Test.Made-Up-1 FOUND"), Ok(infected(Some("Test.Made-Up-1"))));
        assert_eq!(read_clamd(b"stream: OK FOUND"), Ok(infected(Some("OK"))));
        assert_eq!(read_clamd(b"stream:  FOUND"), Ok(infected(None)));
        for reply in [
            "",
            "OK",
            "stream: ",
            "stream: OK ",
            "stream: OK\n",
            "stream: ok",
            "stream: OK\0stream: OK",
            "xstream: OK",
            "INSTREAM size limit exceeded. ERROR",
            "stream: Can't allocate memory ERROR",
            "stream: FOUND",
        ] {
            assert_eq!(read_clamd(reply.as_bytes()), Err(format!("clamd said {reply:?}")));
        }
        assert_eq!(read_clamd(b"stream: \xff FOUND"), Err("a reply that is not UTF-8".to_string()));
    }

    #[test]
    fn a_verdict_over_http_is_clean_only_when_it_says_true() {
        let said = |body: &str| read_verdict(200, None, body.as_bytes());
        assert_eq!(said(r#"{"clean":true}"#), Said::Scanned(Scanned::Clean));
        let found = r#"{"clean":false,"signature":"Test.1"}"#;
        assert_eq!(said(found), Said::Scanned(infected(Some("Test.1"))));
        for nameless in [r#"{"clean":false}"#, r#"{"clean":false,"signature":7}"#] {
            assert_eq!(said(nameless), Said::Scanned(infected(None)));
        }
        for body in ["", "true", "[true]", "{}", r#"{"clean":1}"#, r#"{"clean":"true"}"#, r#"{"clean":true"#]
        {
            assert!(matches!(said(body), Said::Failed(CallFailure::BadReply(_))), "{body}");
        }
        for body in [r#"{"clean":true,"clean":false}"#, r#"{"clean":true} x"#] {
            assert!(matches!(said(body), Said::Failed(CallFailure::BadReply(_))), "{body}");
        }
        let large = format!("{{\"clean\":true,\"more\":\"{}\"}}", "x".repeat(VERDICT_BYTES_MAX));
        let why = "a verdict of over 65536 bytes".to_string();
        assert_eq!(said(&large), Said::Failed(CallFailure::BadReply(why)));
    }

    #[test]
    fn a_scanner_that_answers_with_another_status_has_not_called_it_clean() {
        for status in [201, 204, 302, 400, 500] {
            let refused = Said::Failed(CallFailure::Refused { status });
            assert_eq!(read_verdict(status, None, br#"{"clean":true}"#), refused);
        }
        let passing = Said::Failed(CallFailure::Passing { retry_after: None });
        assert_eq!(read_verdict(503, None, br#"{"clean":true}"#), passing);
    }
}
