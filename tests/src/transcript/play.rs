//! A story, step by step, in one world or another.

use super::deed::Deed;
use super::people::{People, SERVICE_KEY};
use super::render::Names;
use super::story::{Step, Story};
use parlor_host::transcript::{RECORD, hex};
use parlor_protocol::time::Timestamp;
use std::collections::BTreeMap;

/// Where a story is played.
pub trait World {
    /// The time there, for tokens.
    fn now(&self) -> Timestamp;
    /// Whether a connection is open.
    fn is_open(&self, connection: &str) -> bool;
    /// Does what a line says, and returns what follows. `known` is what followed in another world.
    fn perform(&mut self, scene: &Scene<'_>, known: Option<&Outcome>) -> Outcome;
    /// Whatever comes when nothing happens any more, and all that was logged.
    fn finish(&mut self) -> (Outcome, String);
}

/// One step, ready to be performed.
#[derive(Debug)]
pub struct Scene<'a> {
    /// What is done.
    pub deed: &'a Deed,
    /// `Authorization`, if a credential is shown.
    pub authorization: Option<String>,
    /// Whether time passes next, or the same is done again: what comes early then is not too much.
    pub patient: bool,
    /// Whether the same is done again at once.
    pub again: bool,
}

/// What follows one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What a request was answered.
    pub answer: Option<Answer>,
    /// What each connection heard, in its order.
    pub heard: BTreeMap<String, Vec<Heard>>,
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as text; octets that are none as hexadecimal digits.
    pub body: String,
    /// Whether it is a file of the console.
    pub is_file: bool,
}

impl Answer {
    /// Takes out of a payload who came and went: when that is told is a matter of time.
    fn leave_presence_out(&mut self) {
        let told = self.body.split(RECORD).filter(|packet| !Heard::Text((*packet).to_string()).is_presence());
        self.body = told.collect::<Vec<_>>().join(RECORD);
    }
}

/// A body as text.
pub fn body_text(bytes: &[u8]) -> String {
    let is_text = |text: &&str| {
        !text.chars().any(|char| char.is_control() && !char.is_whitespace() && char != '\u{1e}')
    };
    match std::str::from_utf8(bytes).ok().filter(is_text) {
        Some(text) => text.to_string(),
        None => format!("octets {}", hex(bytes)),
    }
}

/// What comes on a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It is open; with a subprotocol, perhaps.
    Open(Option<String>),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping,
    /// A pong that the story asked for.
    Pong,
    /// A close frame.
    Close(u16, String),
    /// Its end without a close frame.
    Lost,
}

impl Heard {
    /// Whether it tells who came and went.
    pub fn is_presence(&self) -> bool {
        let tells =
            |text: &str| text.contains(r#""kind":"user_joined""#) || text.contains(r#""kind":"user_left""#);
        let counts = |text: &str| {
            text.starts_with(r#"{"type":"active-users""#) || text.contains(r#""draft:active-users""#)
        };
        let in_chat = |text: &str| text.contains("chat:system:notification") && tells(text);
        matches!(self, Self::Text(text) if in_chat(text) || counts(text))
    }
}

/// What came of a story.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// Step by step.
    pub outcomes: Vec<Outcome>,
    /// The same as text: the line, and what follows.
    pub texts: Vec<String>,
    /// For the how manieth time of how many each step is done.
    times: Vec<(u32, u32)>,
}

impl Played {
    /// The whole text. Of what is done again and again it shows the first, the second and the last.
    pub fn text(&self) -> String {
        let shown = |(text, (time, count)): (&String, &(u32, u32))| match time {
            3 if count > time => format!("… and so on, {} times more\n", count - time),
            4.. if count > time => String::new(),
            _ => text.clone(),
        };
        self.texts.iter().zip(&self.times).map(shown).collect()
    }
}

/// Plays a story where everything is known by itself.
pub fn play(story: &Story, world: &mut impl World) -> Result<Played, String> {
    Player::new(story).play(world, None)
}

/// Plays a story where it is to go as it went before; the error says where it went otherwise.
pub fn replay(story: &Story, world: &mut impl World, before: &Played) -> Result<(), String> {
    Player::new(story).play(world, Some(before)).map(drop)
}

struct Player<'a> {
    story: &'a Story,
    people: People,
    names: Names,
    /// Connections in the order in which they first appear.
    connections: Vec<String>,
}

impl<'a> Player<'a> {
    fn new(story: &'a Story) -> Self {
        let people = People::new(&story.users);
        Self { story, people, names: Names::default(), connections: Vec::new() }
    }

    fn play(mut self, world: &mut impl World, before: Option<&Played>) -> Result<Played, String> {
        for given in &self.story.given {
            let outcome = self.perform(given, false, world, None)?;
            let answer = outcome.answer.ok_or("what is given is asked for")?;
            if !(200..300).contains(&answer.status) {
                return Err(format!("line {}: not given: {}", given.line, self.names.answer(&answer)));
            }
        }
        let mut played = Played::default();
        for (place, step) in self.story.steps.iter().enumerate() {
            let patient = self.story.steps.get(place + 1).is_some_and(|next| next.text.starts_with('@'));
            let known = before.map(|before| &before.outcomes[place]);
            let outcome = self.perform(step, patient, world, known)?;
            let text = format!("{}\n{}", step.text, self.render(&outcome));
            compare(step, &text, before.map(|before| before.texts[place].as_str()))?;
            played.outcomes.push(outcome);
            played.texts.push(text);
            played.times.push(step.time);
        }
        let (rest, log) = world.finish();
        let rest = self.render(&rest);
        if !rest.is_empty() {
            return Err(format!("after the end there is more:\n{rest}"));
        }
        match self.people.shown().chain([SERVICE_KEY]).find(|secret| log.contains(secret)) {
            Some(secret) => Err(format!("the log holds a credential: {secret}")),
            None => Ok(played),
        }
    }

    fn perform(
        &mut self,
        step: &Step,
        patient: bool,
        world: &mut impl World,
        known: Option<&Outcome>,
    ) -> Result<Outcome, String> {
        let at = |why: String| format!("line {}: {}\n{why}", step.line, step.text);
        let text = self.substitute(&step.text, world.now()).map_err(at)?;
        let deed = Deed::parse(&text).map_err(at)?;
        let mut authorization = None;
        if let Deed::Connect { caller, .. } | Deed::Request { caller, .. } = &deed {
            authorization = match caller {
                super::Caller::User(name) => Some(self.people.token(name, world.now()).map_err(at)?),
                super::Caller::Service => Some(SERVICE_KEY.to_string()),
                super::Caller::Nobody => None,
            };
        }
        if let Deed::Connect { connection, target, .. } = &deed {
            self.names.comes(connection, target);
            if !self.connections.contains(connection) {
                self.connections.push(connection.clone());
            }
        }
        if let Some(closed) = deed.connection().filter(|connection| !world.is_open(connection)) {
            return Err(at(format!("{closed} is not connected")));
        }
        let again = step.time.0 < step.time.1;
        let scene = Scene { deed: &deed, authorization, patient: patient || again, again };
        let mut outcome = world.perform(&scene, known);
        if let Some(answer) = outcome.answer.as_mut().filter(|_| !self.story.presence) {
            answer.leave_presence_out();
        }
        Ok(outcome)
    }

    /// Names become ids, `<token ada>` a token, and `<x*100>` so many of them.
    fn substitute(&mut self, text: &str, now: Timestamp) -> Result<String, String> {
        let text = self.names.resolve(text)?;
        let (mut done, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some((before, from)) = rest.split_once('<') {
            done.push_str(before);
            let (inner, after) = from.split_once('>').unwrap_or((from, ""));
            let counted =
                inner.split_once('*').and_then(|(text, count)| Some((text, count.parse::<usize>().ok()?)));
            if let Some(name) = inner.strip_prefix("token ") {
                done.push_str(&self.people.token(name, now)?);
            } else if let Some((piece, count)) = counted {
                done.push_str(&piece.repeat(count));
            } else if is_name(inner) {
                return Err(format!("<{inner}> names nothing yet"));
            } else {
                done.push('<');
                rest = from;
                continue;
            }
            rest = after;
        }
        done.push_str(rest);
        Ok(done)
    }

    fn render(&mut self, outcome: &Outcome) -> String {
        let mut text = outcome.answer.as_ref().map_or_else(String::new, |answer| self.names.answer(answer));
        for connection in &self.connections {
            for heard in outcome.heard.get(connection).into_iter().flatten() {
                text.push_str(&self.names.heard(connection, heard));
            }
        }
        text
    }
}

/// `ses-1`
fn is_name(text: &str) -> bool {
    let parts = text.split_once('-');
    parts.is_some_and(|(kind, count)| {
        kind.bytes().all(|byte| byte.is_ascii_lowercase()) && count.parse::<u32>().is_ok()
    })
}

fn compare(step: &Step, came: &str, expected: Option<&str>) -> Result<(), String> {
    match expected {
        Some(expected) if expected != came => {
            let line = step.line;
            Err(format!(
                "line {line} goes otherwise than in the core alone.\n--- the core:\n{expected}--- here:\n{came}"
            ))
        }
        Some(_) | None => Ok(()),
    }
}
