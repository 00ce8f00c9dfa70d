//! What a connection is owed: the word that something is durable, for updates of which the log does not have all yet. They come
//! again in an answer to the server's request of the state, and with that answer the word is true.
//!
//! Answers do not say which request they answer. They come in the order of the requests; one to a request that was
//! made before something was lost may leave that out, because the request said that the document has it.
//!
//! A provider of `/hocuspocus` does not tell the words apart, it counts them: to one it goes back with each first step
//! that it takes, which the answer to the server's own first step settles, and one more it adds for each update. A word for
//! something that it counted before, or never did, would make it believe too soon that all is durable.

use super::draft::Incoming;
use crate::context::Caller;
use std::sync::Arc;

/// How many ids of updates whose beginning is missing are remembered for one connection.
const CALLS_MAX: usize = 256;
/// How many words one connection may be owed.
pub const WORDS_MAX: u32 = 4_096;

/// How a connection is asked, answers, and what it is owed.
#[derive(Debug, Default)]
pub struct Owed {
    words: Words,
    asked: u64,
    answered: u64,
    /// Answers to requests up to this one may leave out what was lost.
    outdated: u64,
}

/// Words that are owed, or on their way with an answer.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Which of the connection's counts they belong to; 0: before its first step.
    pub count: u64,
    /// How many it counts.
    pub times: u32,
    /// Those that have an id to repeat, in order.
    pub calls: Vec<(Caller, Option<Arc<str>>)>,
}

impl Owed {
    /// The connection takes a first step: it counts anew.
    pub fn begin(&mut self, count: u64) {
        (self.words.count, self.words.times) = (count, 1);
    }

    /// Which of its counts it is at.
    pub fn count(&self) -> u64 {
        self.words.count
    }

    /// So many updates of its came that only its next answer brings.
    pub fn passed_over(&mut self, updates: u32) {
        self.words.times = self.words.times.saturating_add(updates);
    }

    /// An update has to come again, and is answered then. False: that many calls are not remembered.
    pub fn add(&mut self, update: &Incoming) -> bool {
        self.give_back_one(update.count);
        if update.id.is_none() && update.from.reply_to.is_none() {
            return true;
        }
        let has_room = self.words.calls.len() < CALLS_MAX;
        if has_room {
            self.words.calls.push((update.from.clone(), update.id.clone()));
        }
        has_room
    }

    /// Whether it is owed more than anybody honest.
    pub fn is_too_much(&self) -> bool {
        self.words.times > WORDS_MAX
    }

    /// It is asked for what it has.
    pub fn ask(&mut self) {
        self.asked += 1;
    }

    /// An answer comes: to which request.
    pub fn answer(&mut self) -> u64 {
        self.answered = (self.answered + 1).min(self.asked);
        self.answered
    }

    /// Whether the answer to a request has everything that the connection sent before it.
    pub fn is_whole(&self, answer: u64) -> bool {
        answer > self.outdated
    }

    /// What it was asked for last does not count any more.
    pub fn outdate(&mut self) {
        self.outdated = self.asked;
    }

    /// Whether something is owed.
    pub fn is_any(&self) -> bool {
        self.words.times > 0 || !self.words.calls.is_empty()
    }

    /// Whether a request has not been answered yet.
    pub fn is_asked(&self) -> bool {
        self.asked > self.answered
    }

    /// What is true with an answer that has everything. What comes behind the answer is not in it, so this is taken out
    /// when the answer comes.
    pub fn take(&mut self) -> Words {
        Words {
            count: self.words.count,
            times: std::mem::take(&mut self.words.times),
            calls: std::mem::take(&mut self.words.calls),
        }
    }

    /// What was to be said is not true after all.
    pub fn give_back(&mut self, mut words: Words) {
        if words.count == self.words.count {
            self.words.times = self.words.times.saturating_add(words.times);
        }
        words.calls.append(&mut self.words.calls);
        words.calls.truncate(CALLS_MAX);
        self.words.calls = words.calls;
    }

    /// The word for an update of this count was to be said, and is not true.
    pub fn give_back_one(&mut self, count: Option<u64>) {
        self.words.times = self.words.times.saturating_add(self.word(count));
    }

    /// How many words it still counts, of those that belong to a count.
    pub fn counted(&self, count: u64, times: u32) -> u32 {
        if count == self.words.count { times } else { 0 }
    }

    /// One, if it counts something of this count.
    pub fn word(&self, count: Option<u64>) -> u32 {
        count.map_or(0, |count| self.counted(count, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_brings_all_that_was_owed_unless_it_was_asked_for_before_a_loss() {
        let mut owed = Owed::default();
        owed.begin(7);
        owed.ask();
        owed.give_back_one(Some(7));
        owed.outdate();
        owed.ask();
        let answers = [owed.answer(), owed.answer()].map(|answer| owed.is_whole(answer));
        assert_eq!(answers, [false, true], "the first may leave out what was lost after it was asked for");
        let words = owed.take();
        assert_eq!((words.times, owed.is_any()), (2, false));
        owed.give_back(words);
        assert_eq!(owed.take().times, 2);
        let more = owed.answer();
        assert!(owed.is_whole(more), "what nobody asked for is taken as one more answer to the last request");
    }

    #[test]
    fn nothing_of_an_earlier_count_is_owed() {
        let mut owed = Owed::default();
        assert_eq!((owed.word(Some(0)), owed.word(None)), (1, 0));
        owed.begin(1);
        assert_eq!(owed.word(Some(0)), 0, "it went back to one");
        owed.passed_over(2);
        let words = owed.take();
        assert_eq!(words.times, 3);
        owed.begin(2);
        owed.give_back(words);
        owed.give_back_one(Some(1));
        assert_eq!((owed.counted(1, 5), owed.counted(2, 5), owed.take().times), (0, 5, 1));
    }
}
