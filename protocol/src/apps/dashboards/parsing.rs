//! How commands are spelled. Each is read by itself: fields that it does not have are unknown to it, and ignored
//! whatever they hold (WIRE §3).

use super::changes::{Changes, Raw};
use super::command::{
    Ask, BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, Command, Operation, Part, Resolution, VALUE_BYTES_MAX,
    board_id, checked,
};
use crate::apps::composed;
use crate::ids::{EntryId, Seq};
use crate::json;
use crate::refusal::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

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

/// What stands beside a command among those of other apps.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Address<'a> {
    #[serde(borrow)]
    dashboard_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

/// The same of a command that has no id.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Addressed<'a> {
    #[serde(borrow)]
    dashboard_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Synced {
    since: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Update<'a> {
    #[serde(borrow)]
    widget_id: Option<Cow<'a, str>>,
    base_version: Option<u64>,
    changes: Option<Changes>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Delete<'a> {
    #[serde(borrow)]
    widget_id: Option<Cow<'a, str>>,
    base_version: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Lay<'a> {
    base_version: Option<u64>,
    #[serde(borrow)]
    layout: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Batch<'a> {
    #[serde(borrow)]
    operations: Option<Vec<SpelledPart<'a>>>,
}

#[derive(Deserialize)]
struct SpelledPart<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Restore {
    version: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Resolve<'a> {
    #[serde(borrow)]
    conflict_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resolution: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
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
        Some(Ask::read(name, payload, id).map(|ask| Self { board: None, ask }))
    }

    /// Reads a command among those of other apps: which dashboard it is about, and its id, stand in its data.
    pub fn parse_among(name: &str, data: &str) -> Option<Result<Self, Refusal>> {
        let name = match name.strip_prefix("dashboard:")? {
            "open" => Name::Open,
            "close" => Name::Close,
            "SYNC_REQUEST" => Name::Sync,
            name => Name::Operate(OperationName::named(name)?),
        };
        Some(Self::read_among(name, data))
    }

    fn read_among(name: Name, data: &str) -> Result<Self, Refusal> {
        // Only what changes something has an id of its own.
        let (board, id) = match name {
            Name::Operate(_) => {
                let Address { dashboard_id, id } = fields(data)?;
                (dashboard_id, id)
            }
            Name::Open | Name::Close | Name::Sync => {
                let Addressed { dashboard_id } = fields(data)?;
                (dashboard_id, None)
            }
        };
        let board = board.as_deref().map(board_id).transpose()?;
        let ask = Ask::read(name, data, id.as_deref())?;
        match board.is_some() || name == Name::Open {
            true => Ok(Self { board, ask }),
            false => Err(missing("dashboardId")),
        }
    }
}

impl Ask {
    fn read(name: Name, payload: &str, id: Option<&str>) -> Result<Self, Refusal> {
        let since = || fields::<Synced>(payload).map(|synced| synced.since.map(Seq));
        Ok(match name {
            Name::Open => Self::Open(since()?),
            Name::Close => Self::Close,
            Name::Sync => Self::Sync(since()?),
            Name::Operate(name) => {
                let id = id.map(|id| checked("id", id).map(EntryId::from)).transpose()?;
                Self::Operate(id, Box::new(Operation::read(name, payload)?))
            }
        })
    }
}

impl Operation {
    /// Reads an operation that stands among others.
    pub fn parse(name: &str, payload: &str) -> Result<Self, Refusal> {
        let name = OperationName::named(name).ok_or_else(|| no_operation(name))?;
        Self::read(name, payload)
    }

    fn read(name: OperationName, payload: &str) -> Result<Self, Refusal> {
        match name {
            OperationName::Update | OperationName::Delete | OperationName::Lay => {
                Part::read(name, payload).map(Self::Part)
            }
            OperationName::Batch => {
                batch(fields::<Batch<'_>>(payload)?.operations.ok_or_else(|| missing("operations"))?)
            }
            OperationName::Restore => {
                let version = fields::<Restore>(payload)?.version;
                Ok(Self::Restore { version: version.ok_or_else(|| missing("version"))? })
            }
            OperationName::Resolve => Self::read_resolve(fields(payload)?),
        }
    }

    fn read_resolve(spelled: Resolve<'_>) -> Result<Self, Refusal> {
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

impl Part {
    fn read(name: OperationName, payload: &str) -> Result<Self, Refusal> {
        match name {
            OperationName::Update => {
                let Update { widget_id, base_version: base, changes } = fields(payload)?;
                let changes = changes.ok_or_else(|| missing("changes"))?;
                changes.checked_names()?;
                match changes.bytes() {
                    0..=VALUE_BYTES_MAX => Ok(Self::Update { widget: widget(widget_id)?, base, changes }),
                    actual => Err(Refusal::too_large("changes", actual, VALUE_BYTES_MAX)),
                }
            }
            OperationName::Delete => {
                let Delete { widget_id, base_version: base } = fields(payload)?;
                Ok(Self::Delete { widget: widget(widget_id)?, base })
            }
            OperationName::Lay => {
                let Lay { base_version: base, layout } = fields(payload)?;
                Ok(Self::Lay { base, value: value("layout", layout)? })
            }
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
        Part::read(name, part.payload.map_or("null", RawValue::get))
    });
    parts.collect::<Result<_, _>>().map(Operation::Batch)
}

fn widget(id: Option<Cow<'_, str>>) -> Result<Arc<str>, Refusal> {
    let id = id.ok_or_else(|| missing("widgetId"))?;
    checked("widgetId", &composed(&id)).map(Arc::from)
}

/// A value that is not `null`, which stands for none.
fn value(what: &'static str, value: Option<&RawValue>) -> Result<Raw, Refusal> {
    let value = Raw::from(value.ok_or_else(|| missing(what))?);
    match value.as_str().len() {
        0..=VALUE_BYTES_MAX => Ok(value),
        actual => Err(Refusal::too_large(what, actual, VALUE_BYTES_MAX)),
    }
}

/// What is read of a payload; `null` has no fields.
fn fields<'a, T: Deserialize<'a> + Default>(payload: &'a str) -> Result<T, Refusal> {
    match payload {
        "null" => Ok(T::default()),
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
