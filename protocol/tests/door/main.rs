//! The door when answers come late, out of order or not at all: a whole server, and a store and jobs that
//! answer when a test says so.

mod answers;
mod clean_up;
mod crowds;
mod hook;
mod operators;
mod posts;
mod removals;
mod world;
mod writes;
