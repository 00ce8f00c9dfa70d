//! Jobs without cryptography: what a token says is what it is.

use parlor_protocol::auth::{AuthFailure, Keys, Permissions, User, UserType};
use parlor_protocol::docs::Docs;
use parlor_protocol::job::{Job, Outcome};
use parlor_protocol::time::Timestamp;
use std::time::Duration;

/// Tokens here are plain words, `user:firm:type`; the service's key is `service`.
pub fn outcome(job: &Job, now: Timestamp, docs: &mut Docs) -> Outcome {
    match job {
        Job::VerifyToken { token } => Outcome::Token(user(token, now).ok_or(AuthFailure::Bad)),
        Job::VerifyService { bearer } if bearer == "service" => Outcome::Service(Ok(())),
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
