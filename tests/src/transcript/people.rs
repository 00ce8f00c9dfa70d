//! Who everybody is, and what they show.

use parlor_host::trial;
use parlor_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Signs every token.
pub const JWT_SECRET: &str = "the secret of all stories, long enough";
/// What backends show.
pub const SERVICE_KEY: &str = "the-key-of-the-backend";
/// How long a token is good that says nothing of it.
const TOKEN_VALID: Duration = Duration::from_secs(3_600);

/// The tokens of a story, each made once.
#[derive(Debug)]
pub struct People {
    users: BTreeMap<String, Value>,
    tokens: BTreeMap<String, String>,
}

impl People {
    /// The people of every story, and those of this one: Ada, Ben and Cleo are employees of the firm acme,
    /// Sue is a supervisor there, Gil a guest; Eve is an employee of another firm.
    pub fn new(own: &BTreeMap<String, Value>) -> Self {
        let mut users = BTreeMap::new();
        for (id, name, firm, user_type) in [
            ("ada", "Ada", "acme", "employee"),
            ("ben", "Ben", "acme", "employee"),
            ("cleo", "Cleo", "acme", "employee"),
            ("sue", "Sue", "acme", "supervisor"),
            ("gil", "Gil", "acme", "guest"),
            ("eve", "Eve", "umbra", "employee"),
        ] {
            let claims = json!({"sub": id, "name": name, "firmId": firm, "userType": user_type});
            users.insert(id.to_string(), claims);
        }
        users.extend(own.iter().map(|(name, claims)| (name.clone(), claims.clone())));
        Self { users, tokens: BTreeMap::new() }
    }

    /// The token of somebody. A time in it (`exp`, `nbf`, `iat`) that is a string like `+90s` or `-1h` counts
    /// from when the token is first shown.
    pub fn token(&mut self, name: &str, now: Timestamp) -> Result<String, String> {
        if let Some(token) = self.tokens.get(name) {
            return Ok(token.clone());
        }
        let mut claims = self.users.get(name).cloned().ok_or_else(|| format!("nobody is called {name:?}"))?;
        if claims.get("exp").is_none() {
            claims["exp"] = json!((now + TOKEN_VALID).unix_seconds());
        }
        for time in ["exp", "nbf", "iat"] {
            let Some(Value::String(text)) = claims.get(time) else { continue };
            let (sign, span) = text.split_at(1);
            let span = super::deed::duration(span)?;
            let at = if sign == "-" { now - span } else { now + span };
            claims[time] = json!(at.unix_seconds());
        }
        let token = trial::token(JWT_SECRET.as_bytes(), &claims);
        self.tokens.insert(name.to_string(), token.clone());
        Ok(token)
    }

    /// Every token that was shown.
    pub fn shown(&self) -> impl Iterator<Item = &str> {
        self.tokens.values().map(String::as_str)
    }
}
