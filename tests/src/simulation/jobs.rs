//! Jobs without cryptography: what a token says is what it is.

use super::dice::Dice;
use parlor_protocol::auth::{AuthFailure, Keys, Permissions, Shown, User, UserType};
use parlor_protocol::docs::{DocJob, DocOutcome, Docs};
use parlor_protocol::job::{Job, Outcome};
use parlor_protocol::time::Timestamp;
use std::time::Duration;

/// How long jobs take at the most, in microseconds, when nothing goes wrong.
const LATE_MAX: u64 = 2_000;
/// How long one takes whose worker hangs.
const HANGS: Duration = Duration::from_secs(40);

/// Those who do the jobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workers {
    /// Of a hundred jobs of documents so many are lost: the worker is replaced with all that it had, forgets one
    /// document, has done the job and does not come to say so, or hangs.
    pub losses: u64,
    /// Of a hundred jobs of documents so many break over what they are given.
    pub breaks: u64,
    /// How many microseconds jobs of documents may take beyond what all may take.
    pub late: u64,
}

impl Workers {
    /// Does a job, and says when that is known.
    pub fn run(self, job: &Job, now: Timestamp, docs: &mut Docs, dice: &mut Dice) -> (Duration, Outcome) {
        let mut late = Duration::from_micros(dice.below(LATE_MAX));
        let mut outcome = outcome(job, now, docs);
        let Job::Doc { doc, job } = job else { return (late, outcome) };
        late += Duration::from_micros(if self.late > 0 { dice.below(self.late) } else { 0 });
        if self.losses > 0 && dice.chance(self.losses) {
            match dice.below(8) {
                0 => late = HANGS,
                1..=3 => *docs = Docs::default(),
                4..=5 => drop(docs.run(doc, &DocJob::Close)),
                _ => {}
            }
            return (late, Outcome::Doc(DocOutcome::Absent));
        }
        if self.breaks > 0 && dice.chance(self.breaks) {
            docs.run(doc, &DocJob::Close);
            // What is in the log broke nothing when it came.
            let count = if let DocJob::Apply { updates } = job { updates.len() as u64 } else { 0 };
            let at = (count > 0 && dice.chance(80)).then(|| dice.below(count) as usize);
            outcome = Outcome::Doc(DocOutcome::Broken { at });
        }
        (late, outcome)
    }
}

/// Tokens here are plain words, `user:firm:type`; the service's key is `service`.
pub fn outcome(job: &Job, now: Timestamp, docs: &mut Docs) -> Outcome {
    match job {
        Job::VerifyToken { token } => Outcome::Token(user(token, now).ok_or(AuthFailure::Bad)),
        Job::VerifyService { shown: Shown::Key(key) } if key == "service" => Outcome::Service(Ok(())),
        Job::VerifyService { .. } => Outcome::Service(Err(AuthFailure::Bad)),
        Job::Render { markdown, .. } => Outcome::Rendered(markdown.clone()),
        Job::Inspect { .. }
        | Job::Join { .. }
        | Job::Doc { .. }
        | Job::Unpack { .. }
        | Job::Spell { .. }
        | Job::FoldBoard { .. }
        | Job::WriteBoard { .. } => job.run(&Keys::default(), now, docs),
    }
}

fn user(token: &str, now: Timestamp) -> Option<User> {
    let mut words = token.split(':');
    let (id, firm, user_type) = (words.next()?, words.next()?, UserType::named(words.next()?)?);
    Some(User {
        id: id.into(),
        firm: firm.into(),
        name: Some(id.to_uppercase()),
        user_type,
        permissions: Permissions::of(user_type),
        expires_at: now + Duration::from_secs(86_400),
    })
}
