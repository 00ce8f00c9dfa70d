//! Which schema a database has, and how it comes to the newest one: numbered files, each applied once, all that
//! are missing in one transaction.

use super::error::OpenError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Oldest first; the first one leads to version 1.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_rooms_and_documents.sql"),
    include_str!("migrations/0002_chat_and_projects.sql"),
    include_str!("migrations/0003_snapshots.sql"),
];

/// Marks a database as Parlor's: "Parl".
const APPLICATION_ID: i64 = 0x5061_726c;

/// Refuses another program's database, and one that is newer than this program.
pub(super) fn examine(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number =
        |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(OpenError::sqlite(path));
    let ours = number("PRAGMA application_id")? == APPLICATION_ID;
    if !ours && number("SELECT count(*) FROM sqlite_schema")? > 0 {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let (found, known) = (number("PRAGMA user_version")?, MIGRATIONS.len() as i64);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Applies what is missing.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let applied = version as usize;
    if applied == MIGRATIONS.len() {
        return Ok(());
    }
    for migration in MIGRATIONS.iter().skip(applied) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}
