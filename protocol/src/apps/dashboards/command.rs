//! What can be asked of dashboards.

use super::changes::{Changes, Raw};
use crate::apps::composed;
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{EntryId, RoomId, Seq};
use crate::json;
use crate::refusal::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// How the ids of users' own dashboards begin.
pub const OWN_PREFIX: &str = "user:";
/// The largest change, value of a widget, or layout (WIRE §0.6).
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// How many operations a batch holds (WIRE §3).
pub const BATCH_OPERATIONS_MAX: usize = 100;
/// The largest batch: one entry, which is read with others in pages.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which dashboard; `None`: the one that the connection is for.
    pub board: Option<RoomId>,
    /// What is asked of it.
    pub ask: Ask,
}

/// What is asked of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `dashboard:open`
    Open(Option<Seq>),
    /// `dashboard:close`, `DISCONNECT`
    Close,
    /// `CONNECT`, `SYNC_REQUEST`
    Sync(Option<Seq>),
    /// A change, and its id if it has one.
    Operate(Option<EntryId>, Box<Operation>),
}

/// Something that is judged against the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// One change.
    Part(Part),
    /// `WIDGET_BATCH`
    Batch(Vec<Part>),
    /// `LAYOUT_RESTORE`
    Restore {
        /// Which version comes back.
        version: u64,
    },
    /// `CONFLICT_RESOLVED`
    Resolve {
        /// Which conflict.
        conflict: Arc<str>,
        /// How it ends.
        resolution: Resolution,
    },
    /// A backend speaks.
    Say {
        /// The event's name.
        event: String,
        /// Its data.
        data: Raw,
    },
}

/// A change of a widget or of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// `WIDGET_UPDATE`
    Update {
        /// Which widget.
        widget: Arc<str>,
        /// The version that was seen.
        base: Option<u64>,
        /// What becomes of its fields.
        changes: Changes,
    },
    /// `WIDGET_DELETE`
    Delete {
        /// Which widget.
        widget: Arc<str>,
        /// The version that was seen.
        base: Option<u64>,
    },
    /// `LAYOUT_UPDATE`
    Lay {
        /// The version that was seen.
        base: Option<u64>,
        /// The layout from then on.
        value: Raw,
    },
}

/// How a conflict ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// What was asked is done.
    Mine,
    /// What was asked is withdrawn.
    Theirs,
    /// This is the value.
    Merged(Raw),
}

/// The fields that any of the commands has.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spelled<'a> {
    #[serde(borrow)]
    dashboard_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    since: Option<u64>,
    #[serde(borrow)]
    widget_id: Option<Cow<'a, str>>,
    base_version: Option<u64>,
    changes: Option<Changes>,
    #[serde(borrow)]
    layout: Option<&'a RawValue>,
    version: Option<u64>,
    #[serde(borrow)]
    operations: Option<Vec<SpelledPart<'a>>>,
    #[serde(borrow)]
    conflict_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resolution: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SpelledPart<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// The names of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Open,
    Close,
    Sync,
    Operate(OperationName),
}

/// The names of what is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OperationName {
    Update,
    Delete,
    Lay,
    Batch,
    Restore,
    Resolve,
}

impl OperationName {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "WIDGET_UPDATE" => Self::Update,
            "WIDGET_DELETE" => Self::Delete,
            "WIDGET_BATCH" => Self::Batch,
            "LAYOUT_UPDATE" => Self::Lay,
            "LAYOUT_RESTORE" => Self::Restore,
            "CONFLICT_RESOLVED" => Self::Resolve,
            _ => return None,
        })
    }
}

impl Command {
    /// Reads a command as `/api/realtime` spells it, with the id of its message; `None`: there is none of this name.
    pub fn parse(name: &str, payload: &str, id: Option<&str>) -> Option<Result<Self, Refusal>> {
        let name = match name {
            "CONNECT" | "SYNC_REQUEST" => Name::Sync,
            "DISCONNECT" => Name::Close,
            name => Name::Operate(OperationName::named(name)?),
        };
        Some(
            spelled(payload)
                .and_then(|spelled| Self::read(name, spelled, id))
                .map(|command| Self { board: None, ..command }),
        )
    }

    /// Reads a command among those of other apps: which dashboard it is about, and its id, stand in its data.
    pub fn parse_among(name: &str, data: &str) -> Option<Result<Self, Refusal>> {
        let name = match name.strip_prefix("dashboard:")? {
            "open" => Name::Open,
            "close" => Name::Close,
            "SYNC_REQUEST" => Name::Sync,
            name => Name::Operate(OperationName::named(name)?),
        };
        Some(spelled(data).and_then(|spelled| {
            let id = spelled.id.clone();
            let command = Self::read(name, spelled, id.as_deref())?;
            match command.board.is_some() || name == Name::Open {
                true => Ok(command),
                false => Err(missing("dashboardId")),
            }
        }))
    }

    fn read(name: Name, spelled: Spelled<'_>, id: Option<&str>) -> Result<Self, Refusal> {
        let board = spelled.dashboard_id.as_deref().map(board_id).transpose()?;
        let since = spelled.since.map(Seq);
        let ask = match name {
            Name::Open => Ask::Open(since),
            Name::Close => Ask::Close,
            Name::Sync => Ask::Sync(since),
            Name::Operate(name) => {
                let id = id.map(|id| checked("id", id).map(EntryId::from)).transpose()?;
                Ask::Operate(id, Box::new(Operation::read(name, spelled)?))
            }
        };
        Ok(Self { board, ask })
    }
}

impl Operation {
    /// Reads an operation that stands among others.
    pub fn parse(name: &str, payload: &str) -> Result<Self, Refusal> {
        let name = OperationName::named(name).ok_or_else(|| no_operation(name))?;
        Self::read(name, spelled(payload)?)
    }

    fn read(name: OperationName, spelled: Spelled<'_>) -> Result<Self, Refusal> {
        match name {
            OperationName::Update | OperationName::Delete | OperationName::Lay => {
                Part::read(name, spelled).map(Self::Part)
            }
            OperationName::Batch => batch(spelled.operations.ok_or_else(|| missing("operations"))?),
            OperationName::Restore => {
                Ok(Self::Restore { version: spelled.version.ok_or_else(|| missing("version"))? })
            }
            OperationName::Resolve => {
                let conflict = spelled.conflict_id.as_deref().ok_or_else(|| missing("conflictId"))?;
                let conflict = checked("conflictId", conflict)?.into();
                let resolution = match spelled.resolution.as_deref() {
                    Some("mine") => Resolution::Mine,
                    Some("theirs") => Resolution::Theirs,
                    Some("merged") => Resolution::Merged(value("value", spelled.value)?),
                    Some(_) | None => {
                        let message = "resolution is none of: mine, theirs, merged";
                        return Err(Refusal::new(Code::ClientError, message));
                    }
                };
                Ok(Self::Resolve { conflict, resolution })
            }
        }
    }
}

impl Part {
    fn read(name: OperationName, spelled: Spelled<'_>) -> Result<Self, Refusal> {
        let base = spelled.base_version;
        let widget = || {
            let id = spelled.widget_id.as_deref().ok_or_else(|| missing("widgetId"))?;
            checked("widgetId", &composed(id)).map(Arc::<str>::from)
        };
        match name {
            OperationName::Update => {
                let changes = spelled.changes.as_ref().ok_or_else(|| missing("changes"))?;
                match changes.bytes() {
                    0..=VALUE_BYTES_MAX => {
                        Ok(Self::Update { widget: widget()?, base, changes: changes.clone() })
                    }
                    actual => Err(Refusal::too_large("changes", actual, VALUE_BYTES_MAX)),
                }
            }
            OperationName::Delete => Ok(Self::Delete { widget: widget()?, base }),
            OperationName::Lay => Ok(Self::Lay { base, value: value("layout", spelled.layout)? }),
            OperationName::Batch | OperationName::Restore | OperationName::Resolve => {
                let message = "a batch holds WIDGET_UPDATE, WIDGET_DELETE and LAYOUT_UPDATE";
                Err(Refusal::new(Code::ClientError, message))
            }
        }
    }
}

fn batch(parts: Vec<SpelledPart<'_>>) -> Result<Operation, Refusal> {
    if parts.is_empty() {
        return Err(Refusal::new(Code::ClientError, "a batch of nothing"));
    }
    if parts.len() > BATCH_OPERATIONS_MAX {
        let message = format!("{} operations are over the limit of {BATCH_OPERATIONS_MAX}", parts.len());
        let details = json!({"limit": BATCH_OPERATIONS_MAX, "actual": parts.len()});
        return Err(Refusal::new(Code::TooLarge, message).with(details));
    }
    let bytes = parts.iter().map(|part| part.payload.map_or(0, |payload| payload.get().len())).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(Refusal::too_large("batch", bytes, BATCH_BYTES_MAX));
    }
    let parts = parts.into_iter().map(|part| {
        let name = OperationName::named(&part.name).ok_or_else(|| no_operation(&part.name))?;
        Part::read(name, spelled(part.payload.map_or("null", RawValue::get))?)
    });
    parts.collect::<Result<_, _>>().map(Operation::Batch)
}

/// A dashboard by its id. A user's own bears the user's id as its token spells it.
pub fn board_id(id: &str) -> Result<RoomId, Refusal> {
    match id.strip_prefix(OWN_PREFIX) {
        Some(user) => checked("dashboardId", user).map(|_| RoomId::dashboard(id)),
        None => checked("dashboardId", &composed(id)).map(RoomId::dashboard),
    }
}

fn checked<'a>(what: &str, id: &'a str) -> Result<&'a str, Refusal> {
    if id.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large(what, id.len(), ID_BYTES_MAX));
    }
    match id.is_empty() || id.chars().any(char::is_control) {
        true => Err(Refusal::new(Code::ClientError, format!("{what} is empty or has control characters"))),
        false => Ok(id),
    }
}

/// A value that is not `null`, which stands for none.
fn value(what: &'static str, value: Option<&RawValue>) -> Result<Raw, Refusal> {
    let value = Raw::from(value.ok_or_else(|| missing(what))?);
    match value.as_str().len() {
        0..=VALUE_BYTES_MAX => Ok(value),
        actual => Err(Refusal::too_large(what, actual, VALUE_BYTES_MAX)),
    }
}

fn spelled(payload: &str) -> Result<Spelled<'_>, Refusal> {
    match payload {
        "null" => Ok(Spelled::default()),
        payload => json::object(payload)
            .map_err(|why| Refusal::new(Code::ClientError, format!("bad payload: {why}"))),
    }
}

fn missing(what: &str) -> Refusal {
    Refusal::new(Code::ClientError, format!("{what} is missing"))
}

fn no_operation(name: &str) -> Refusal {
    Refusal::new(Code::ClientError, format!("there is no operation {name:.128?}"))
}
