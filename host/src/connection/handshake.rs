//! The handshake of a transport that has one. It takes `HANDSHAKE_WAIT_MAX` at most, whatever trickles in.

use super::{Connection, Next, Ready, Stage, WRITE_LOOK, lingering, wait};
use crate::http_reader::HttpReader;
use crate::measured::note_limit;
use crate::tls::Handshake;
use parlor_protocol::http::HeadFault;
use parlor_protocol::metrics::Limit;
use parlor_protocol::record::{Level, Record};
use std::time::{Duration, Instant};

/// How long a handshake may take from the moment the connection was accepted.
pub(super) const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(5);
/// What a client hears that speaks HTTP where TLS is spoken.
const SPEAK_TLS: HeadFault = HeadFault::Malformed("this port speaks TLS: use https:// or wss://");

impl Connection {
    /// Goes on with the handshake; behind it, requests are read.
    pub(super) fn shake_hands(&self, until: Instant, ready: Ready) -> Next {
        match self.line.shake_hands() {
            Handshake::Done => {
                let reader = Box::<HttpReader>::default();
                Next::Stage(self.reading(reader))
            }
            Handshake::More if !ready.late && Instant::now() < until => {
                Next::Wait(Stage::Handshake { until }, wait(true, &self.line, Some(until)))
            }
            Handshake::More => self.fail("it took too long"),
            Handshake::Failed(why) => self.fail(&why),
            Handshake::Plain => {
                let answer = self.engine.response_frame(&SPEAK_TLS.response(), false, false);
                self.line.write_plainly(answer.bytes());
                self.note_failed("plain HTTP");
                self.line.shut_writing();
                Next::Stage(lingering())
            }
            Handshake::Gone => Next::Stage(Stage::Over),
        }
    }

    /// The alert that says what is wrong is written; what still comes is thrown away, so that it arrives.
    fn fail(&self, why: &str) -> Next {
        self.note_failed(why);
        self.line.shut_writing();
        Next::Stage(Stage::Lingering { until: Instant::now() + WRITE_LOOK })
    }

    fn note_failed(&self, why: &str) {
        note_limit(Limit::Handshakes);
        let record = Record::new(Level::Debug, "tls.failed");
        self.engine.log(record.with("reason", why).with("address", self.line.peer().to_string()));
    }
}
