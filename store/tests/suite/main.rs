//! One suite for every store: each law is a sentence, held against SQLite and against the model; then whole
//! random histories, which both have to answer alike. Last come the laws of files: starts, crashes and faults.

mod files;
mod histories;
mod log;
mod rows;
mod subject;
