//! What `yjs` makes of the same updates: a Node process that is asked line by line.

use crate::checked::{hex, unhex};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/yjs");

/// The process.
pub struct Opinion {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Default for Opinion {
    fn default() -> Self {
        assert!(
            Path::new(FOLDER).join("node_modules/yjs").exists(),
            "there is no yjs: run npm ci in tests/yjs"
        );
        let mut process = Command::new("node")
            .arg("opinion.mjs")
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let questions = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, questions, answers }
    }
}

impl Opinion {
    /// Asks; panics if `yjs` has no answer.
    pub fn ask(&mut self, question: &Value) -> Value {
        let answer = self.try_ask(question);
        assert!(answer.get("error").is_none(), "{question}: {answer}");
        answer
    }

    /// Asks; the answer may be an `error`.
    pub fn try_ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").expect("it reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("it answers in JSON")
    }

    /// Has a document take in an update; or says why not.
    pub fn apply(&mut self, doc: u64, update: &[u8]) -> Result<Took, String> {
        let answer = self.try_ask(&json!({"op": "apply", "doc": doc, "update": hex(update)}));
        match answer["error"].as_str() {
            Some(error) => Err(error.to_string()),
            None => Ok(Took {
                vector: unhex(answer["vector"].as_str().expect("there is one")),
                pending: answer["pending"].as_bool().expect("it is known"),
                own: updates(&answer["own"]),
            }),
        }
    }

    /// What a document holds in the roots of what ours holds.
    pub fn content(&mut self, doc: u64, ours: &Value) -> Value {
        let roots = ours.as_object().expect("roots by name").iter();
        let roots: Value = roots
            .map(|(name, root)| (name.clone(), root.get("text").is_some().into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        self.ask(&json!({"op": "content", "doc": doc, "roots": roots}))["content"].take()
    }

    /// Makes edits at random in a document; the updates that came of them.
    pub fn edit(&mut self, doc: u64, client: u64, seed: u64, steps: u64) -> Vec<Vec<u8>> {
        let question = json!({"op": "edit", "doc": doc, "client": client, "seed": seed, "steps": steps});
        updates(&self.ask(&question)["updates"])
    }

    /// The whole state of a document.
    pub fn state(&mut self, doc: u64) -> Vec<u8> {
        unhex(self.ask(&json!({"op": "state", "doc": doc}))["update"].as_str().expect("there is one"))
    }

    /// Forgets every document.
    pub fn forget(&mut self) {
        self.ask(&json!({"op": "drop"}));
    }
}

/// How a document of `yjs` stands after an update.
pub struct Took {
    /// Its state vector.
    pub vector: Vec<u8>,
    /// Whether something is left over.
    pub pending: bool,
    /// What it would send in turn.
    pub own: Vec<Vec<u8>>,
}

fn updates(list: &Value) -> Vec<Vec<u8>> {
    let list = list.as_array().expect("there are some").iter();
    list.map(|update| unhex(update.as_str().expect("hexadecimal"))).collect()
}

impl Drop for Opinion {
    fn drop(&mut self) {
        // Killing or waiting fails only for a process that is gone already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
