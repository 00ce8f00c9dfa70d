//! The built-in interviewer: asks a template's questions in turn and fills its body, so that the whole
//! journey works with nothing else running.

use crate::call::{AiReply, Document, Progress, Role, Turn};
use crate::ids::DocumentId;
use crate::store::TemplateRow;
use std::fmt::Write;

/// The reply to the history so far; `document_id` is taken when all is answered.
pub fn reply(template: &TemplateRow, history: &[Turn], document_id: DocumentId) -> AiReply {
    let answers: Vec<_> =
        history.iter().filter(|turn| turn.role == Role::User).map(|turn| turn.content.as_str()).collect();
    let Some(next) = template.questions.get(answers.len()) else {
        let markdown = fill(template, &answers);
        return AiReply::Complete { document_id, document: Some(Document { title: None, markdown }) };
    };
    let question = match &next.help {
        Some(help) => format!("{}\n\n{help}", next.question),
        None => next.question.clone(),
    };
    let progress = Progress { answered: answers.len() as u32, total: template.questions.len() as u32 };
    AiReply::Question { question, progress: Some(progress) }
}

/// The template's body with its `{{key}}`s replaced; answers are not looked through for keys. A template
/// without a body becomes a list of questions and answers.
fn fill(template: &TemplateRow, answers: &[&str]) -> String {
    let mut filled = String::with_capacity(template.body.len());
    if template.body.trim().is_empty() {
        for (question, answer) in template.questions.iter().zip(answers) {
            // Writing to a String does not fail.
            write!(filled, "## {}\n\n{answer}\n\n", question.question).unwrap_or_default();
        }
        return filled;
    }
    let mut rest = template.body.as_str();
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((key, after)) = behind.split_once("}}") else {
            filled.push_str("{{");
            rest = behind;
            continue;
        };
        let place = template.questions.iter().position(|question| question.key == key.trim());
        filled.push_str(place.and_then(|place| answers.get(place)).copied().unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
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
        assert_eq!(asked, AiReply::Question { question: "b?\n\nhelp".into(), progress });
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
            assert_eq!(complete, AiReply::Complete { document_id: "d".into(), document }, "{body}");
        }
    }
}
