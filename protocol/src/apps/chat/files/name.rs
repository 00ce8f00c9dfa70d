//! The name of a file as it is kept: for people, and harmless where somebody saves the file under it.

use super::super::command::NAME_BYTES_MAX;
use crate::apps::composed;
use crate::refusal::{Code, Refusal};

/// Characters that turn the direction of what follows, with which a name can look as if it ended otherwise.
const TURNING: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// What stands behind the last separator, without control characters.
pub fn cleaned(name: &str) -> Result<String, Refusal> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|char| !char.is_control() && !TURNING.contains(char)).collect();
    let kept = kept.trim();
    if kept.len() > NAME_BYTES_MAX {
        return Err(Refusal::too_large("name", kept.len(), NAME_BYTES_MAX));
    }
    match kept {
        "" | "." | ".." => Err(Refusal::new(Code::ClientError, "the file has no name")),
        name => Ok(composed(name).into_owned()),
    }
}

/// The header that has a file saved under its name (RFC 6266, RFC 8187).
pub fn disposition(name: &str) -> String {
    let mut header = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes() {
        match byte {
            b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~' => {
                header.push(char::from(byte));
            }
            byte if byte.is_ascii_alphanumeric() => header.push(char::from(byte)),
            byte => header.push_str(&format!("%{byte:02X}")),
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_no_path_and_no_control_characters() {
        for (name, kept) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\Größe.txt", "Größe.txt"),
            (" a\r\n\0b\u{202e}gnp.exe ", "abgnp.exe"),
            (".profile", ".profile"),
        ] {
            assert_eq!(cleaned(name), Ok(kept.to_string()));
        }
        for empty in ["", " ", ".", "..", "a/", "a/..", "\u{7}\u{202e}"] {
            assert_eq!(cleaned(empty).expect_err(empty).message, "the file has no name");
        }
        assert_eq!(cleaned(&"x".repeat(255)), Ok("x".repeat(255)));
        let long = cleaned(&"x".repeat(256)).expect_err("one over");
        assert_eq!(long.message, "name of 256 bytes is over the limit of 255");
    }

    #[test]
    fn a_name_of_any_kind_can_be_said_in_a_header() {
        assert_eq!(disposition("plan-1.pdf"), "attachment; filename*=UTF-8''plan-1.pdf");
        assert_eq!(disposition("a\"b; Ö%'"), "attachment; filename*=UTF-8''a%22b%3B%20%C3%96%25%27");
    }
}
