//! Pure functions that run outside the core's lock: what checks a credential (so that no secret is in the
//! core) and what is slow. A driver runs them with `Job::run` wherever it likes and hands the outcome back.

mod inspection;
mod unpacking;

pub use inspection::{Content, Inspected, TEXT};
pub use unpacking::Unpacked;

use crate::apps::dashboards::{self, Base, Board};
use crate::apps::drafts::Speech;
use crate::auth::{AuthFailure, Keys, Shown, User, verify_service, verify_token};
use crate::docs::{DocId, DocJob, DocOutcome, Docs};
use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::ids::{RoomId, Seq};
use crate::store::Entry;
use crate::time::Timestamp;
use bytes::Bytes;
use pulldown_cmark::{Event, Options, Parser, html};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One job.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Read a user's token.
    VerifyToken {
        /// The token as it came.
        token: String,
    },
    /// Check a backend's key, or its signature.
    VerifyService {
        /// What it shows.
        shown: Shown,
    },
    /// Write Markdown as HTML.
    Render {
        /// The title, plain text.
        title: String,
        /// The Markdown.
        markdown: String,
    },
    /// Look at a file that somebody brings.
    Inspect {
        /// The file as it came.
        content: Content,
    },
    /// Make one of the pieces of a file.
    Join {
        /// The pieces, in order.
        pieces: Vec<Bytes>,
    },
    /// Something of a Yjs document, which a worker holds: all jobs of one draft go to the same one, in order.
    Doc {
        /// Which document.
        doc: DocId,
        /// What to do.
        job: DocJob,
    },
    /// Take a large message about a draft apart.
    Unpack {
        /// The message, in 003's JSON.
        text: Bytes,
    },
    /// Write what a draft's document says to somebody as a frame.
    Spell {
        /// How it is written.
        envelope: Envelope,
        /// Of which draft.
        draft: RoomId,
        /// What it says.
        speech: Speech,
    },
    /// Fold a dashboard further.
    FoldBoard {
        /// As far as it is folded.
        base: Base,
        /// What follows.
        entries: Vec<Entry>,
    },
    /// Write a dashboard as a snapshot.
    WriteBoard {
        /// The board.
        board: Box<Board>,
    },
}

/// Up to this size a file, or a body that is signed, is looked at within microseconds.
const CHEAP_BYTES_MAX: usize = 16 * 1024;

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Who is calling.
    Token(Result<User, AuthFailure>),
    /// Whether a backend is calling.
    Service(Result<(), AuthFailure>),
    /// A whole HTML page.
    Rendered(String),
    /// What a file is, or why it is none.
    Inspected(Result<Inspected, String>),
    /// A whole file.
    Joined(Bytes),
    /// What came of it in a document.
    Doc(DocOutcome),
    /// A frame; none where there is no word for it.
    Spelled(Option<Frame>),
    /// What a message brings, or what is wrong with it.
    Unpacked(Result<Unpacked, String>),
    /// A dashboard, unless its snapshot cannot be read.
    Board(Option<Box<Board>>),
    /// A snapshot, and the last entry in it.
    Written(Seq, Bytes),
}

impl Job {
    /// Whether it takes microseconds, so that handing it to another thread would cost more.
    pub fn is_cheap(&self) -> bool {
        match self {
            Self::VerifyToken { .. } | Self::VerifyService { shown: Shown::Key(_) } => true,
            Self::VerifyService { shown: Shown::Signature(request) } => request.body.len() <= CHEAP_BYTES_MAX,
            Self::Inspect { content } => content.len() <= CHEAP_BYTES_MAX,
            Self::FoldBoard { base, entries } => {
                let entries: usize = entries.iter().map(|entry| entry.body.len()).sum();
                base.bytes() + entries <= CHEAP_BYTES_MAX
            }
            Self::WriteBoard { board } => board.bytes() <= CHEAP_BYTES_MAX,
            Self::Render { .. } | Self::Join { .. } | Self::Doc { .. } => false,
            Self::Unpack { .. } | Self::Spell { .. } => false,
        }
    }

    /// Runs it; `docs` are the documents of the worker that runs it. The same job, keys, time and documents: the same
    /// outcome.
    pub fn run(&self, keys: &Keys, now: Timestamp, docs: &mut Docs) -> Outcome {
        match self {
            Self::VerifyToken { token } => Outcome::Token(verify_token(token, keys, now)),
            Self::VerifyService { shown } => Outcome::Service(verify_service(shown, keys, now)),
            Self::Render { title, markdown } => Outcome::Rendered(page(title, markdown)),
            Self::Inspect { content } => Outcome::Inspected(content.inspect()),
            Self::Join { pieces } => Outcome::Joined(pieces.concat().into()),
            Self::Doc { doc, job } => Outcome::Doc(docs.run(doc, job)),
            Self::Spell { envelope, draft, speech } => Outcome::Spelled(speech.spell(*envelope, draft)),
            Self::Unpack { text } => Outcome::Unpacked(unpacking::unpack(text)),
            Self::FoldBoard { base, entries } => {
                Outcome::Board(dashboards::fold(base, entries).map(Box::new))
            }
            Self::WriteBoard { board } => Outcome::Written(board.seq, board.snapshot()),
        }
    }
}

/// Says which job it is, never a credential.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyToken { .. } => "VerifyToken",
            Self::VerifyService { .. } => "VerifyService",
            Self::Render { .. } => "Render",
            Self::Inspect { .. } => "Inspect",
            Self::Join { .. } => "Join",
            Self::Doc { doc, job } => return write!(f, "Doc({:?}, {job:?})", doc.draft),
            Self::Unpack { .. } => "Unpack",
            Self::Spell { .. } => "Spell",
            Self::FoldBoard { .. } => "FoldBoard",
            Self::WriteBoard { .. } => "WriteBoard",
        })
    }
}

/// HTML in the Markdown is text: what users answered stands in documents.
fn page(title: &str, markdown: &str) -> String {
    let events =
        Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(as_text);
    let mut body = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut body, events);
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<main>\n{body}</main>\n</html>\n"
    )
}

fn as_text(event: Event<'_>) -> Event<'_> {
    use pulldown_cmark::{CowStr, Tag};
    let harmless = |url: &str| {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        scheme.is_none_or(|scheme| ["http", "https", "mailto"].contains(&scheme.as_str()))
    };
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) if !harmless(&dest_url) => {
            Event::Start(Tag::Link { link_type, dest_url: CowStr::Borrowed("#"), title, id })
        }
        Event::Start(Tag::Image { link_type, title, id, .. }) => {
            Event::Start(Tag::Image { link_type, dest_url: CowStr::Borrowed("#"), title, id })
        }
        Event::Start(_)
        | Event::End(_)
        | Event::Text(_)
        | Event::Code(_)
        | Event::InlineMath(_)
        | Event::DisplayMath(_)
        | Event::FootnoteReference(_)
        | Event::SoftBreak
        | Event::HardBreak
        | Event::Rule
        | Event::TaskListMarker(_) => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_a_document_is_shown_as_text_and_links_cannot_run_scripts() {
        let markdown = "# Hi\n\n<script>alert(1)</script>\n\n[x](javascript:alert) ![y](https://a/b.png)";
        let outcome = Job::Render { title: "A<b>".into(), markdown: markdown.into() }.run(
            &Keys::default(),
            Timestamp::default(),
            &mut Docs::default(),
        );
        let Outcome::Rendered(page) = outcome else { panic!("{outcome:?}") };
        assert!(page.contains("<title>A&lt;b&gt;</title>"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        assert!(page.contains("<a href=\"#\">x</a>") && page.contains("<img src=\"#\""), "{page}");
    }

    #[test]
    fn a_job_never_prints_its_credential() {
        assert_eq!(format!("{:?}", Job::VerifyToken { token: "secret".into() }), "VerifyToken");
    }
}
