//! Projects and feeds (WIRE §5): backends speak, and who may hear it does. What is told to one user or to everyone
//! stands in rooms of its own, like a project's.

mod log;

pub use log::{answer, is_repeat, told};

use crate::envelope::Event;
use crate::refusal::Refusal;

/// Why not, in the words of projects.
pub fn refused(refusal: &Refusal) -> Event {
    Event::new("error", refusal)
}
