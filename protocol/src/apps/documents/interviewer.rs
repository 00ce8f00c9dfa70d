//! The built-in interviewer: asks a template's questions in turn and fills its body, so that the whole
//! journey works with nothing else running.

use crate::call::{AiReply, Document, Progress, Role, Turn};
use crate::ids::DocumentId;
use crate::store::TemplateRow;
use std::collections::BTreeMap;

/// The largest document, in bytes: few keys and long answers make much of a short template.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// The reply to the history so far; `document_id` is taken when all is answered. The error says why there is no
/// document.
pub fn reply(template: &TemplateRow, history: &[Turn], document_id: DocumentId) -> Result<AiReply, String> {
    let answers: Vec<_> =
        history.iter().filter(|turn| turn.role == Role::User).map(|turn| turn.content.as_str()).collect();
    let Some(next) = template.questions.get(answers.len()) else {
        let markdown = fill(template, &answers)?;
        return Ok(AiReply::Complete { document_id, document: Some(Document { title: None, markdown }) });
    };
    let question = match &next.help {
        Some(help) => format!("{}\n\n{help}", next.question),
        None => next.question.clone(),
    };
    let progress = Progress { answered: answers.len() as u32, total: template.questions.len() as u32 };
    Ok(AiReply::Question { question, progress: Some(progress) })
}

/// The template's body with its `{{key}}`s replaced; answers are not looked through for keys. A template
/// without a body becomes a list of questions and answers.
fn fill(template: &TemplateRow, answers: &[&str]) -> Result<String, String> {
    let mut page = Page::default();
    if template.body.trim().is_empty() {
        for (question, answer) in template.questions.iter().zip(answers) {
            for part in ["## ", &question.question, "\n\n", answer, "\n\n"] {
                page.write(part)?;
            }
        }
        return Ok(page.0);
    }
    let keys = template.questions.iter().map(|question| question.key.as_str());
    let answers: BTreeMap<_, _> = keys.zip(answers.iter().copied()).collect();
    let mut rest = template.body.as_str();
    while let Some((before, behind)) = rest.split_once("{{") {
        page.write(before)?;
        let Some((key, after)) = behind.split_once("}}") else {
            page.write("{{")?;
            rest = behind;
            continue;
        };
        page.write(answers.get(key.trim()).copied().unwrap_or_default())?;
        rest = after;
    }
    page.write(rest)?;
    Ok(page.0)
}

/// A document as far as it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn write(&mut self, part: &str) -> Result<(), String> {
        if self.0.len() + part.len() > DOCUMENT_BYTES_MAX {
            return Err(format!("the document is over the limit of {DOCUMENT_BYTES_MAX} bytes"));
        }
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Question;

    fn template(body: &str) -> TemplateRow {
        let question = |key: &str| Question {
            key: key.into(),
            question: format!("{key}?"),
            help: (key == "b").then(|| "help".into()),
            required: true,
        };
        let questions = vec![question("a"), question("b")];
        TemplateRow { id: "t".into(), name: "T".into(), firm: None, questions, body: body.into() }
    }

    fn turn(role: Role, content: &str) -> Turn {
        Turn { turn: 0, role, content: content.into(), at: String::new() }
    }

    #[test]
    fn questions_are_asked_in_turn_with_help_and_progress() {
        let history = [turn(Role::Assistant, "a?"), turn(Role::User, "1")];
        let asked = reply(&template(""), &history, "d".into());
        let progress = Some(Progress { answered: 1, total: 2 });
        assert_eq!(asked, Ok(AiReply::Question { question: "b?\n\nhelp".into(), progress }));
    }

    #[test]
    fn the_body_is_filled_and_an_answer_cannot_smuggle_a_key_in() {
        for (body, filled) in [
            ("x {{a}} y {{ b }} {{c}}z", "x {{b}} y 2 z"),
            ("{{a", "{{a"),
            ("no keys", "no keys"),
            (" ", "## a?\n\n{{b}}\n\n## b?\n\n2\n\n"),
        ] {
            let history = [turn(Role::User, "{{b}}"), turn(Role::User, "2")];
            let complete = reply(&template(body), &history, "d".into());
            let document = Some(Document { title: None, markdown: filled.into() });
            assert_eq!(complete, Ok(AiReply::Complete { document_id: "d".into(), document }), "{body}");
        }
    }

    #[test]
    fn a_document_over_its_limit_is_not_made() {
        let history = [turn(Role::User, &"x".repeat(32 * 1024)), turn(Role::User, "2")];
        let made = |times: usize| reply(&template(&"{{a}}".repeat(times)), &history, "d".into()).map(|_| ());
        assert_eq!(made(32), Ok(()));
        assert_eq!(made(33), Err("the document is over the limit of 1048576 bytes".to_string()));
    }
}
