//! The trial: what a server shows when nobody has configured it. Samples to play with, people to play them,
//! and the text that says where to begin.

use crate::settings::Configuration;
use jsonwebtoken::{EncodingKey, Header};
use parlor_protocol::auth::{Keys, UserType};
use parlor_protocol::ids::{FirmId, RoomId, RoomKind};
use parlor_protocol::store::{Change, MemberRow, Query, Question, RoomRow, Row, TemplateRow, Visibility};
use parlor_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Somebody of the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The user id.
    pub id: &'static str,
    /// The name that others see.
    pub name: &'static str,
    /// What kind of user.
    pub user_type: UserType,
}

/// The firm that they all are of.
pub const FIRM: &str = "trial";

/// Ada, Ben, Sue and Gil.
pub const PEOPLE: [Person; 4] = [
    Person { id: "ada", name: "Ada", user_type: UserType::Employee },
    Person { id: "ben", name: "Ben", user_type: UserType::Employee },
    Person { id: "sue", name: "Sue", user_type: UserType::Supervisor },
    Person { id: "gil", name: "Gil", user_type: UserType::Guest },
];

/// What the store is asked before the samples are loaded; all that is found goes to `samples`.
pub fn queries() -> [Query; 2] {
    [Query::Templates(None), Query::Rooms(RoomKind::Chat)]
}

/// The rows of the samples, for a database in which there is no template and no room: what an operator has
/// changed or removed does not come back.
pub fn samples(found: &[Row]) -> Vec<Change> {
    let is_in_use = found.iter().any(|row| matches!(row, Row::Template(_) | Row::Room(_)));
    match is_in_use {
        true => Vec::new(),
        false => {
            [trip_report(), offer()].into_iter().map(Row::Template).chain(rooms()).map(Change::Put).collect()
        }
    }
}

/// How long a token of the trial is good.
pub const TOKEN_VALID: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Person {
    /// What a token of this person says: good for 30 days, and for the audience and issuer that are asked for.
    pub fn claims(&self, keys: &Keys, now: Timestamp) -> Value {
        let claims = json!({
            "sub": self.id,
            "name": self.name,
            "userType": self.user_type.as_str(),
            "firmId": FIRM,
            "iat": now.unix_seconds(),
            "exp": (now + TOKEN_VALID).unix_seconds(),
        });
        addressed(claims, keys)
    }
}

/// The claims with the audience and the issuer that are asked for.
pub fn addressed(mut claims: Value, keys: &Keys) -> Value {
    for (name, wanted) in [("aud", &keys.audience), ("iss", &keys.issuer)] {
        if let Some(wanted) = wanted {
            claims[name] = wanted.as_str().into();
        }
    }
    claims
}

/// Claims as a token (RFC 7519) that HS256 signs.
pub fn token(secret: &[u8], claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret))
        .expect("HS256 takes a secret of any length, and JSON can be written")
}

/// What is printed when the server listens: a line with the address, and in a trial how to go on.
pub fn greeting(configuration: &Configuration, bound: SocketAddr, now: Timestamp) -> String {
    let scheme = if configuration.tls.is_some() { "https" } else { "http" };
    let mut text = format!("Parlor {} listens on {scheme}://{bound}\n", configuration.core.version);
    if let (true, Some(secret)) = (configuration.trial, &configuration.keys.secret) {
        let address = configuration.public_url.clone().unwrap_or_else(|| format!("{scheme}://{bound}"));
        let link = |person: &Person| {
            let token = token(secret, &person.claims(&configuration.keys, now));
            format!("  {}  {address}/#token={token}\n", person.name)
        };
        text.push_str(
            "\nThis is a trial: JWT_SECRET is not set. The server made a secret of its own, and an empty database\n\
             gets samples: two document templates, two chat rooms, a project, a dashboard and a draft. Open it in a\n\
             browser as Ada, and in another as Ben. Whoever has such an address is that person, for 30 days:\n\n",
        );
        PEOPLE.iter().take(2).for_each(|person| text.push_str(&link(person)));
        text.push_str(&format!(
            "\nThe key for backends and the admin calls (SERVICE_API_KEY), unless you set one, is the second line\n\
             of {}. To serve others, set HOST and JWT_SECRET; --help lists all settings.\n",
            configuration.secret_file().display()
        ));
    }
    text
}

fn trip_report() -> TemplateRow {
    template(
        "trip-report",
        "Trip report",
        &[
            ("destination", "Where did you go?", None, true),
            ("purpose", "What was the trip for?", Some("One or two sentences."), true),
            ("result", "What came of it?", Some("Decisions, agreements, open points."), true),
            ("remarks", "Is there anything else that others should know?", Some("May stay empty."), false),
        ],
        "# Trip to {{destination}}\n\n## Purpose\n\n{{purpose}}\n\n## Result\n\n{{result}}\n\n## Remarks\n\n{{remarks}}\n",
    )
}

fn offer() -> TemplateRow {
    template(
        "offer",
        "Offer",
        &[
            ("customer", "Who is the offer for?", None, true),
            ("service", "What do you offer?", Some("What the customer gets, in your own words."), true),
            ("price", "What does it cost?", Some("With the currency, and whether taxes are included."), true),
            ("until", "Until when is the offer good?", None, true),
        ],
        "# Offer for {{customer}}\n\nWe are glad to offer you:\n\n{{service}}\n\n**Price:** {{price}}\n\n\
         This offer is good until {{until}}.\n",
    )
}

type Asked = (&'static str, &'static str, Option<&'static str>, bool);

fn template(id: &str, name: &str, questions: &[Asked], body: &str) -> TemplateRow {
    let question = |(key, question, help, required): &Asked| Question {
        key: (*key).to_string(),
        question: (*question).to_string(),
        help: help.map(str::to_string),
        required: *required,
    };
    TemplateRow {
        id: id.into(),
        name: name.to_string(),
        firm: Some(FirmId::from(FIRM)),
        questions: questions.iter().map(question).collect(),
        body: body.to_string(),
    }
}

/// The lobby is open to the firm; the guest's corner has the guest and those who look after him; the biography is
/// a project, in which backends speak; the overview is a dashboard and the welcome a draft, which all of the firm
/// may change.
fn rooms() -> Vec<Row> {
    let [ada, ben, sue, gil] = PEOPLE;
    let talk = |people: &[Person]| people.iter().map(|person| (*person, "member")).collect::<Vec<_>>();
    let lobby = room(RoomId::chat("lobby"), "Lobby", Visibility::Public, &talk(&[ada, ben, sue]));
    let guests = room(RoomId::chat("guests"), "Guests' corner", Visibility::Private, &talk(&[ada, ben, gil]));
    let tellers = [(ada, "facilitator"), (ben, "storyteller")];
    let biography = room(RoomId::project("biography"), "Biography", Visibility::Private, &tellers);
    let overview = room(RoomId::dashboard("overview"), "Overview", Visibility::Public, &[]);
    let welcome = room(RoomId::draft("welcome"), "Welcome", Visibility::Public, &[]);
    [lobby, guests, biography, overview, welcome].concat()
}

fn room(id: RoomId, name: &str, visibility: Visibility, members: &[(Person, &str)]) -> Vec<Row> {
    let member = |(person, role): &(Person, &str)| {
        Row::Member(MemberRow {
            room: id.clone(),
            user: person.id.into(),
            role: (*role).to_string(),
            name: Some(person.name.to_string()),
            user_type: person.user_type,
        })
    };
    let row = RoomRow { id: id.clone(), name: name.to_string(), firm: FIRM.into(), visibility };
    std::iter::once(Row::Room(row)).chain(members.iter().map(member)).collect()
}

#[cfg(test)]
mod tests;
