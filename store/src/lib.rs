//! The store: what carries out a [`StoreRequest`](parlor_protocol::store::StoreRequest). Two of them keep the
//! same laws, and one suite of tests holds both to them:
//!
//! * [`SqliteStore`] keeps everything in one SQLite file. It is the one writer and belongs into a thread of its
//!   own, which takes all the requests that have come in meanwhile, gives them to [`SqliteStore::commit`] as
//!   one group and passes the answers on: one transaction and one fsync for all of them. [`Reader`]s answer
//!   what only reads, from other threads and without waiting for the writer.
//! * [`ModelStore`] keeps everything in memory and is as simple as the laws allow. Tests and simulations use it.
//!
//! ```
//! use parlor_protocol::{ids::{RoomId, Ticket}, store::{StoreReply, StoreRequest}, time::Timestamp};
//! use parlor_store::{Durability, SqliteStore};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("parlor.db");
//! let mut store = SqliteStore::open(&path, Durability::PowerLoss)?;
//! let ticket = Ticket { slot: 0, generation: 0 };
//! let load = StoreRequest::Load { room: RoomId::chat("lobby") };
//! let answers = store.commit(Timestamp(1), vec![(ticket, load)])?;
//! assert_eq!(answers, [(ticket, StoreReply::Loaded(None))]);
//! store.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod model;
mod sqlite;

pub use model::ModelStore;
pub use sqlite::{Durability, Fatal, OpenError, Reader, SqliteStore, Unclean};
