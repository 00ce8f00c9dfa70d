//! What the official suites of Engine.IO (25 cases) and Socket.IO (32, 16 of them Engine.IO's own) check on the
//! wire, held against the layers alone; then what they do not check; then laws over many random cases.
//!
//! | law | a planted fault that it catches |
//! | --- | --- |
//! | packets: what is written is read again | a namespace written without its comma |
//! | payloads: what is written is read again | binary data written with the alphabet for URLs |
//! | conversations: no split over polls and no upgrade changes what is heard | the queue left behind at `5` |
//! | sequences: every request is answered once, every session ends once | a GET that is forgotten at the end |

mod attachments;
mod connecting;
mod ending;
mod handshake;
mod laws;
mod messages;
mod sequence;
mod upgrade;
mod world;
