//! Documents with a check after every update: nothing that is taken in may make a document unreadable.

use bytes::Bytes;
use parlor_protocol::docs::{Applied, DocId, DocJob, DocOutcome, Docs, Standing};
use parlor_protocol::ids::RoomId;
use std::collections::BTreeMap;

/// One document, and every update that it has given out.
pub struct Checked {
    pub docs: Docs,
    /// Its state vectors after each update, the first that of nothing.
    pub vectors: Vec<Bytes>,
    /// What it gave out as new.
    pub canonical: Vec<Bytes>,
    /// How often it held something else once it was loaded, where that is counted and no fault.
    reordered: Option<u64>,
}

/// The live document.
pub fn live() -> DocId {
    DocId { draft: RoomId::chat("draft"), copy: 0 }
}

impl Default for Checked {
    fn default() -> Self {
        let mut docs = Docs::default();
        let opened = docs.run(&live(), &DocJob::Open { snapshot: None, updates: Vec::new() });
        let DocOutcome::Opened(Ok(standing)) = opened else { panic!("{opened:?}") };
        Self { docs, vectors: vec![standing.state_vector], canonical: Vec::new(), reordered: None }
    }
}

impl Checked {
    /// One for updates that claim neighbours that were none: they may stand elsewhere once they are loaded, in `yjs`
    /// too, which is counted.
    pub fn counting() -> Self {
        Self { reordered: Some(0), ..Self::default() }
    }

    /// How often it held something else once it was loaded.
    pub fn reordered(&self) -> u64 {
        self.reordered.unwrap_or_default()
    }

    /// Applies an update, without a check.
    pub fn apply(&mut self, update: &[u8]) -> Applied {
        let job = DocJob::Apply { updates: vec![Bytes::copy_from_slice(update)] };
        let outcome = self.docs.run(&live(), &job);
        let DocOutcome::Applied { mut each, standing } = outcome else { panic!("{outcome:?}") };
        let applied = each.pop().expect("one for each update");
        if let Applied::New { update, .. } = &applied {
            self.canonical.push(update.clone());
            self.vectors.push(standing.state_vector);
        }
        applied
    }

    /// Applies an update that is new, and does not keep what it gives out; says how the document stands then.
    pub fn apply_standing(&mut self, update: &[u8]) -> Standing {
        let job = DocJob::Apply { updates: vec![Bytes::copy_from_slice(update)] };
        let outcome = self.docs.run(&live(), &job);
        let DocOutcome::Applied { each, standing } = outcome else { panic!("{outcome:?}") };
        assert!(matches!(each[..], [Applied::New { .. }]), "{each:?}");
        standing
    }

    /// Runs a job on it.
    pub fn run(&mut self, job: &DocJob) -> DocOutcome {
        self.docs.run(&live(), job)
    }

    /// How far each client is known.
    pub fn ends(&self) -> BTreeMap<u64, u64> {
        read_vector(self.vectors.last().expect("there is the first"))
    }

    /// What somebody lacks who has this state vector.
    pub fn diff(&mut self, since: Option<&Bytes>) -> Bytes {
        let outcome = self.docs.run(&live(), &DocJob::Diff { since: since.cloned() });
        let DocOutcome::Diff { update, .. } = outcome else { panic!("{outcome:?}") };
        update
    }

    /// What it holds.
    pub fn content(&self) -> serde_json::Value {
        self.docs.content(&live()).expect("it is open").expect("it can be read")
    }

    /// Panics if the document cannot be read, whole or since any time before, or says something else then.
    pub fn check(&mut self) {
        let content = self.content();
        let whole = self.diff(None);
        self.check_read(Some(whole), Vec::new(), &content);
        // One that had everything up to some point, and hears of the rest.
        let then = (self.vectors.len() * 7 / 11).min(self.vectors.len() - 1);
        let rest = self.diff(Some(&self.vectors[then].clone()));
        let updates = self.canonical[..then].iter().cloned().chain([rest]).collect();
        self.check_read(None, updates, &content);
    }

    /// Panics if the document cannot be read as a whole, or says something else then.
    pub fn check_content(&mut self) {
        let content = self.content();
        let mut other = Self::default();
        let opened = other.run(&DocJob::Open { snapshot: Some(self.diff(None)), updates: Vec::new() });
        assert!(matches!(opened, DocOutcome::Opened(Ok(_))), "{opened:?}");
        assert!(self.reordered.is_some() || other.content() == content);
    }

    /// Panics if the document cannot be folded, or says something else then.
    pub fn fold(&mut self) {
        let content = self.content();
        let folded = self.docs.run(&live(), &DocJob::Fold);
        let DocOutcome::Folded(Ok(whole)) = folded else { panic!("{folded:?}") };
        self.check_read(Some(whole), Vec::new(), &content);
    }

    fn check_read(&mut self, snapshot: Option<Bytes>, updates: Vec<Bytes>, content: &serde_json::Value) {
        let mut docs = Docs::default();
        let opened = docs.run(&live(), &DocJob::Open { snapshot, updates });
        let DocOutcome::Opened(Ok(standing)) = opened else { panic!("{opened:?}") };
        assert_eq!(Some(&standing.state_vector), self.vectors.last());
        let read = docs.content(&live()).expect("it is open").expect("it can be read");
        match &mut self.reordered {
            Some(reordered) if read != *content => *reordered += 1,
            _ => assert_eq!(read, *content),
        }
    }
}

/// Reads a state vector.
pub fn read_vector(vector: &[u8]) -> BTreeMap<u64, u64> {
    let mut bytes = vector.iter();
    let mut number = move || {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *bytes.next().expect("it is whole");
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    };
    (0..number()).map(|_| (number(), number())).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digits).collect()
}
