//! The store behind the engine's threads: SQLite, one writer and some readers.

use crate::engine::{Answer, Commit, Fatal, Stores};
use crate::settings::{Configuration, Durability};
use crate::trial;
use parlor_protocol::ids::Ticket;
use parlor_protocol::store::{StoreReply, StoreRequest};
use parlor_protocol::time::Timestamp;
use parlor_store::{Reader, SqliteStore};

/// How many reads are answered at once.
const READERS: usize = 2;

/// Opens the database, and in a trial fills an empty one with samples. The error is for people.
pub fn open(configuration: &Configuration, now: Timestamp) -> Result<Stores, String> {
    let mut store = open_writer(configuration)?;
    let mut readers: Vec<Box<dyn Answer>> = Vec::new();
    for _ in 0..READERS {
        readers.push(Box::new(store.reader().map_err(|error| error.to_string())?));
    }
    if configuration.trial {
        load_samples(&mut store, now)?;
    }
    Ok(Stores { writer: Box::new(store), readers })
}

fn open_writer(configuration: &Configuration) -> Result<SqliteStore, String> {
    let durability = match configuration.durability {
        Durability::PowerLoss => parlor_store::Durability::PowerLoss,
        Durability::Process => parlor_store::Durability::Process,
    };
    SqliteStore::open(&configuration.database, durability).map_err(|error| error.to_string())
}

fn load_samples(store: &mut SqliteStore, now: Timestamp) -> Result<(), String> {
    let mut reader = store.reader().map_err(|error| error.to_string())?;
    let found = trial::queries().map(|query| {
        let StoreReply::Found(rows) = reader.answer(&StoreRequest::Look(query)) else {
            return Err("the database cannot be read");
        };
        Ok(rows)
    });
    let found = found.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let rows = trial::samples(&found);
    if rows.is_empty() {
        return Ok(());
    }
    let request = StoreRequest::Commit { appends: Vec::new(), rows };
    let replies = store.commit(now, vec![(Ticket { slot: 0, generation: 0 }, request)]);
    match replies.map_err(|fatal| fatal.to_string())?.pop() {
        Some((_, StoreReply::Committed(_))) => Ok(()),
        _ => Err("the samples of the trial cannot be stored".to_string()),
    }
}

impl Commit for SqliteStore {
    fn commit(
        &mut self,
        now: Timestamp,
        batch: Vec<(Ticket, StoreRequest)>,
    ) -> Result<Vec<(Ticket, StoreReply)>, Fatal> {
        Self::commit(self, now, batch).map_err(|fatal| Fatal(fatal.to_string()))
    }

    fn close(self: Box<Self>) -> Result<(), String> {
        Self::close(*self).map_err(|unclean| unclean.to_string())
    }
}

impl Answer for Reader {
    fn answer(&mut self, request: &StoreRequest) -> StoreReply {
        Self::answer(self, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Surroundings;

    fn synchronous(more: &[&str]) -> Option<i64> {
        let folder = tempfile::tempdir().expect("the disk takes a folder");
        let secret = "x".repeat(32);
        let arguments = ["parlor", "--jwt-secret", &secret].into_iter().chain(more.iter().copied());
        let surroundings = Surroundings {
            program: "parlor",
            arguments: arguments.map(Into::into).collect(),
            environment: Vec::new(),
            folder: folder.path().to_owned(),
        };
        let configuration = Configuration::load(&surroundings).expect("this is enough");
        let configuration = Configuration { database: folder.path().join("parlor.db"), ..configuration };
        open_writer(&configuration).expect("it is new").synchronous()
    }

    #[test]
    fn the_writer_syncs_every_commit_to_the_disk_unless_told_otherwise() {
        assert_eq!(synchronous(&[]), Some(2));
        assert_eq!(synchronous(&["--durability", "power-loss"]), Some(2));
        assert_eq!(synchronous(&["--durability", "process"]), Some(1));
    }
}
