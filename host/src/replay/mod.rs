//! Replay: what a recording says that a core was told is told to a fresh one, and its actions are
//! compared with those of then, byte for byte but for credentials.

mod story;

use crate::recording::{Content, Header, Next, digest, read_next};
use parlor_protocol::action::Actions;
use parlor_protocol::input::Input;
use parlor_protocol::server::Server;
use parlor_protocol::time::Timestamp;
use std::fmt;
use std::io::{self, BufRead, Write};
use story::Story;

/// How much of an action is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 400;

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many facts were told.
    pub inputs: u64,
    /// How many actions followed.
    pub actions: u64,
    /// The first difference; what comes behind it was not told.
    pub difference: Option<Difference>,
    /// How the file ends.
    pub ending: Ending,
}

/// Where a replay went otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// After which fact, counted from 1.
    pub input: u64,
    /// When that was.
    pub at: Timestamp,
    /// What it was.
    pub told: String,
    /// Which of its actions, counted from 1.
    pub action: usize,
    /// How many were recorded, and how many followed here.
    pub counts: (usize, usize),
    /// What followed here in that place.
    pub here: Option<String>,
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ending {
    /// Between two facts, without a word: its process was killed.
    #[default]
    Silent,
    /// Within a fact, of which so many bytes are there.
    Torn(usize),
    /// It says why.
    Said(String),
    /// Something in it cannot be read.
    Damaged(String),
}

/// Replays a recording. With `transcript`, what happened is written there as a story. The error says why it cannot be
/// replayed at all.
pub fn replay(file: &mut impl BufRead, mut transcript: Option<&mut dyn Write>) -> Result<Replayed, String> {
    let header = Header::read(file)?;
    let seed = header.seed().ok_or("its seed is not 64 hexadecimal digits")?;
    if let Some(out) = &mut transcript {
        let Header { program, version, started_at, .. } = &header;
        let title = writeln!(out, "# Recorded by {program} {version} from {started_at} on.");
        title.map_err(|error| error.to_string())?;
    }
    let mut replay = Replay {
        server: Server::new(header.settings, seed),
        replayed: Replayed::default(),
        story: Story::default(),
    };
    loop {
        let content = match read_next(file) {
            Ok(Next::Content(content)) => *content,
            Ok(Next::Ends) => break,
            Ok(Next::Torn(bytes)) => {
                replay.replayed.ending = Ending::Torn(bytes);
                break;
            }
            Err(why) => {
                replay.replayed.ending = Ending::Damaged(why);
                break;
            }
        };
        match content {
            Content::Step { now, input, actions } => {
                let actions = (actions.len(), actions.iter());
                replay.step(now, input, actions, &mut transcript).map_err(|error| error.to_string())?;
                if replay.replayed.difference.is_some() {
                    break;
                }
            }
            Content::End(why) => replay.replayed.ending = Ending::Said(why),
        }
    }
    Ok(replay.replayed)
}

struct Replay {
    server: Server,
    replayed: Replayed,
    story: Story,
}

impl Replay {
    fn step<'a>(
        &mut self,
        now: Timestamp,
        input: Input,
        (recorded, mut digests): (usize, impl Iterator<Item = &'a [u8; 16]>),
        transcript: &mut Option<&mut dyn Write>,
    ) -> io::Result<()> {
        let mut actions = Actions::new();
        self.replayed.inputs += 1;
        let told = input.clone();
        self.server.handle(now, input, &mut actions);
        self.replayed.actions += actions.len() as u64;
        let mut same = 0;
        for action in &actions {
            match digests.next() {
                Some(then) if digest(action, |_| {})? == *then => same += 1,
                Some(_) | None => break,
            }
        }
        if same < actions.len().max(recorded) {
            self.replayed.difference = Some(Difference {
                input: self.replayed.inputs,
                at: now,
                told: shown(&told),
                action: same + 1,
                counts: (recorded, actions.len()),
                here: actions.get(same).map(shown),
            });
        }
        match transcript {
            Some(out) => out.write_all(self.story.tell(now, &told, &actions).as_bytes()),
            None => Ok(()),
        }
    }
}

fn shown(what: &impl fmt::Debug) -> String {
    let mut text = format!("{what:?}");
    if text.len() > SHOWN_BYTES_MAX {
        let end = (0..=SHOWN_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

impl Replayed {
    /// Whether every action was the same, and nothing in the file was damaged.
    pub fn is_same(&self) -> bool {
        self.difference.is_none() && !matches!(self.ending, Ending::Damaged(_))
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, actions, difference, ending } = self;
        match difference {
            None => write!(f, "{inputs} inputs, {actions} actions, all as they were")?,
            Some(difference) => {
                let Difference { input, at, told, action, counts: (then, here), here: came } = difference;
                writeln!(
                    f,
                    "{inputs} inputs, {actions} actions; the first difference is behind input {input}, at {at}"
                )?;
                writeln!(f, "  told: {told}")?;
                writeln!(
                    f,
                    "  action {action} differs; recorded were {then} actions, and {here} follow here"
                )?;
                return match came {
                    Some(came) => write!(f, "  here: {came}"),
                    None => write!(f, "  here: nothing"),
                };
            }
        }
        match ending {
            Ending::Silent => write!(f, "; the recording ends without a word"),
            Ending::Torn(bytes) => write!(f, "; {bytes} bytes at the end are torn and left out"),
            Ending::Said(why) => write!(f, "; the recording ends: {why}"),
            Ending::Damaged(why) => write!(f, "; there the recording is damaged: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
