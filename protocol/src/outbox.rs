//! What waits to be written to one socket. Owned by the driver beside the socket's write half: nothing is
//! ever written past it, so its order is the core's and its limit is the connection's.

use crate::frame::Frame;
use crate::metrics::{App, ByApp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::IoSlice;

/// How many bytes may wait, one large frame not counted (WIRE §0.8).
pub const OUTBOX_BYTES_MAX: usize = 1 << 20;
/// A frame above this is an answer that may be too large to wait with others. One at a time is let in uncounted
/// while little waits: a session's whole history comes right before its open question.
const LARGE_BYTES_MIN: usize = OUTBOX_BYTES_MAX / 2;
/// How many frames may wait.
pub const OUTBOX_FRAMES_MAX: usize = 4096;

/// What may happen to a frame when its receiver is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Never dropped; where there is no room for it the connection ends.
    Kept,
    /// Kept; and the driver says `Flushed` as soon as the outbox is at most half full with it in it.
    Page,
    /// Dropped when there is no room.
    Signal,
    /// Like a signal, and takes the place of the one with this key that still waits.
    Latest(u64),
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits its turn.
    Queued,
    /// It was a signal, and there was no room or the outbox is closed.
    Dropped,
    /// There was no room for a kept frame even without the signals: the connection is too slow (4002).
    Overflowed,
}

#[derive(Debug)]
struct Waiting {
    bytes: Bytes,
    app: App,
    class: Class,
    /// Whether it is the one that is not counted.
    large: bool,
}

/// The queue of one socket.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Whether a large frame may be among them.
    holds_large: bool,
    /// How much of the first frame is written already.
    written: usize,
    pages: bool,
    closed: bool,
    /// Signals dropped since it was last asked; mostly there are none.
    dropped: Option<Box<ByApp>>,
}

impl Outbox {
    /// Takes in a frame, in order.
    pub fn push(&mut self, frame: Frame, class: Class) -> Pushed {
        if self.closed {
            return Pushed::Dropped;
        }
        if let Class::Latest(_) = class
            && let Some(at) = self.replaceable(class)
        {
            self.bytes = self.bytes - self.waiting[at].bytes.len() + frame.len();
            self.waiting[at].bytes = frame.into_bytes();
            return Pushed::Queued;
        }
        let kept = matches!(class, Class::Kept | Class::Page);
        let large = kept && self.takes_large(frame.len());
        if !large && !self.has_room(frame.len()) {
            if !kept {
                self.dropped.get_or_insert_default().add(frame.app(), 1);
                return Pushed::Dropped;
            }
            self.drop_signals();
            if !self.has_room(frame.len()) {
                return Pushed::Overflowed;
            }
        }
        self.pages |= class == Class::Page;
        self.holds_large |= large;
        self.bytes += frame.len();
        self.waiting.push_back(Waiting { app: frame.app(), bytes: frame.into_bytes(), class, large });
        Pushed::Queued
    }

    /// How many signals were dropped since this was last asked.
    pub fn take_dropped(&mut self) -> Option<Box<ByApp>> {
        self.dropped.take()
    }

    /// Makes room for so many frames at once, which is cheaper than growing by each.
    pub fn reserve(&mut self, frames: usize) {
        self.waiting.reserve(frames.min(OUTBOX_FRAMES_MAX));
    }

    /// Takes in the last frame, whatever waits, and nothing after it.
    pub fn close(&mut self, last: Option<Frame>) {
        if let Some(frame) = last.filter(|_| !self.closed) {
            self.bytes += frame.len();
            self.waiting.push_back(Waiting {
                bytes: frame.bytes().clone(),
                app: frame.app(),
                class: Class::Kept,
                large: false,
            });
        }
        self.closed = true;
    }

    /// Throws away all that has not begun to be written: its reader will not take it any more.
    pub fn forget_waiting(&mut self) {
        let begun = usize::from(self.written > 0);
        self.waiting.truncate(begun);
        self.bytes = self.waiting.iter().map(|waiting| waiting.bytes.len()).sum::<usize>() - self.written;
    }

    /// Whether a last frame was taken in.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many frames wait.
    pub fn frame_count(&self) -> usize {
        self.waiting.len()
    }

    /// How many bytes wait.
    pub fn queued_bytes(&self) -> usize {
        self.bytes
    }

    /// Fills `slices` with what waits, for one vectored write, and returns how many it used.
    pub fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for (slice, waiting) in slices.iter_mut().zip(&self.waiting) {
            let skip = if used == 0 { self.written } else { 0 };
            *slice = IoSlice::new(&waiting.bytes[skip..]);
            used += 1;
        }
        used
    }

    /// Takes out the first frame, none of which is written: for a transport that takes frames, not bytes.
    pub fn pop(&mut self) -> Option<(Frame, Class)> {
        debug_assert_eq!(self.written, 0, "a frame that has begun is written to its end");
        let first = self.waiting.pop_front()?;
        self.bytes -= first.bytes.len();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
            self.holds_large = false;
        }
        Some((Frame::raw(first.bytes).of(first.app), first.class))
    }

    /// Notes that `count` bytes of what `gather` showed were written. Says whether `Flushed` is due.
    pub fn advance(&mut self, count: usize) -> bool {
        self.bytes -= count;
        self.written += count;
        while let Some(first) = self.waiting.front()
            && self.written >= first.bytes.len()
        {
            self.written -= first.bytes.len();
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
            self.holds_large = false;
        }
        self.take_flushed()
    }

    /// Whether a page was taken in and the outbox is at most half full. True once per page or pages.
    pub fn take_flushed(&mut self) -> bool {
        let below = self.bytes <= OUTBOX_BYTES_MAX / 2 && self.waiting.len() <= OUTBOX_FRAMES_MAX / 2;
        below && std::mem::take(&mut self.pages)
    }

    fn has_room(&self, more: usize) -> bool {
        self.waiting.is_empty()
            || (self.counted() + more <= OUTBOX_BYTES_MAX && self.waiting.len() < OUTBOX_FRAMES_MAX)
    }

    fn takes_large(&self, more: usize) -> bool {
        more > LARGE_BYTES_MIN
            && self.large_left() == 0
            && self.bytes <= OUTBOX_BYTES_MAX / 2
            && self.waiting.len() < OUTBOX_FRAMES_MAX
    }

    /// How many bytes wait besides the large frame.
    fn counted(&self) -> usize {
        self.bytes - self.large_left()
    }

    /// How much of the large frame waits.
    fn large_left(&self) -> usize {
        if !self.holds_large {
            return 0;
        }
        let found = self.waiting.iter().enumerate().find(|(_, waiting)| waiting.large);
        found.map_or(0, |(at, waiting)| waiting.bytes.len() - if at == 0 { self.written } else { 0 })
    }

    fn replaceable(&self, class: Class) -> Option<usize> {
        let begun = usize::from(self.written > 0);
        (begun..self.waiting.len()).find(|&at| self.waiting[at].class == class)
    }

    fn drop_signals(&mut self) {
        let (written, mut first) = (self.written, true);
        let dropped = &mut self.dropped;
        self.waiting.retain(|waiting| {
            let begun = std::mem::take(&mut first) && written > 0;
            let stays = begun || matches!(waiting.class, Class::Kept | Class::Page);
            if !stays {
                dropped.get_or_insert_default().add(waiting.app, 1);
            }
            stays
        });
        self.bytes = self.waiting.iter().map(|waiting| waiting.bytes.len()).sum::<usize>() - written;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8, len: usize) -> Frame {
        Frame::raw(vec![byte; len].into())
    }

    fn written(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let used = outbox.gather(&mut slices);
        slices[..used].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_kept_frame_pushes_signals_out_and_then_overflows() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(frame(1, OUTBOX_BYTES_MAX / 2), Class::Kept), Pushed::Queued);
        assert_eq!(outbox.push(frame(2, OUTBOX_BYTES_MAX / 2), Class::Signal), Pushed::Queued);
        assert_eq!(outbox.push(frame(3, 1), Class::Signal), Pushed::Dropped);
        assert_eq!(outbox.push(frame(4, OUTBOX_BYTES_MAX / 2), Class::Kept), Pushed::Queued);
        assert_eq!(outbox.push(frame(5, 1), Class::Kept), Pushed::Overflowed);
        assert_eq!(outbox.queued_bytes(), OUTBOX_BYTES_MAX);
    }

    #[test]
    fn dropped_signals_are_counted_by_app_and_told_once() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, OUTBOX_BYTES_MAX / 2), Class::Kept);
        outbox.push(frame(2, OUTBOX_BYTES_MAX / 2).of(App::Drafts), Class::Signal);
        outbox.push(frame(3, 1).of(App::Chat), Class::Signal);
        outbox.push(frame(4, OUTBOX_BYTES_MAX / 2), Class::Kept);
        let dropped = outbox.take_dropped().expect("some were");
        assert_eq!((dropped.of(App::Drafts), dropped.of(App::Chat), dropped.total()), (1, 1, 2));
        assert_eq!(outbox.take_dropped(), None);
    }

    #[test]
    fn a_large_frame_does_not_keep_out_what_follows_it() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, 100), Class::Kept);
        assert_eq!(outbox.push(frame(2, 2 * OUTBOX_BYTES_MAX), Class::Kept), Pushed::Queued);
        assert_eq!(outbox.push(frame(3, OUTBOX_BYTES_MAX - 100), Class::Kept), Pushed::Queued);
        assert_eq!(outbox.push(frame(4, 1), Class::Kept), Pushed::Overflowed);
        outbox.advance(100 + OUTBOX_BYTES_MAX);
        assert_eq!(outbox.push(frame(4, 100), Class::Kept), Pushed::Queued);
        assert_eq!(outbox.push(frame(5, 1), Class::Kept), Pushed::Overflowed);
    }

    #[test]
    fn the_latest_of_a_key_takes_the_place_of_the_one_before() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, 2), Class::Latest(7));
        outbox.push(frame(2, 1), Class::Kept);
        outbox.push(frame(3, 1), Class::Latest(7));
        assert_eq!(written(&outbox), [3, 2]);
        assert_eq!(outbox.queued_bytes(), 2);
    }

    #[test]
    fn a_frame_that_has_begun_is_finished_before_anything_else() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, 3), Class::Latest(7));
        outbox.advance(1);
        outbox.push(frame(2, 1), Class::Latest(7));
        outbox.drop_signals();
        assert_eq!(written(&outbox), [1, 1]);
        outbox.push(frame(3, 1), Class::Kept);
        outbox.forget_waiting();
        outbox.close(Some(frame(9, 1)));
        assert_eq!((written(&outbox), outbox.queued_bytes()), (vec![1, 1, 9], 3));
        assert_eq!(outbox.push(frame(4, 1), Class::Kept), Pushed::Dropped);
    }

    #[test]
    fn frames_are_taken_out_whole_in_order_and_make_room() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, 2 * OUTBOX_BYTES_MAX), Class::Page);
        outbox.push(frame(2, 3), Class::Signal);
        assert!(!outbox.take_flushed());
        assert_eq!(outbox.pop(), Some((frame(1, 2 * OUTBOX_BYTES_MAX), Class::Page)));
        assert_eq!((outbox.take_flushed(), outbox.queued_bytes()), (true, 3));
        assert_eq!(outbox.pop(), Some((frame(2, 3), Class::Signal)));
        assert_eq!((outbox.pop(), outbox.is_empty()), (None, true));
    }

    #[test]
    fn a_page_asks_for_flushed_once_when_half_is_free() {
        let mut outbox = Outbox::default();
        outbox.push(frame(1, OUTBOX_BYTES_MAX / 2), Class::Kept);
        outbox.push(frame(2, 10), Class::Page);
        assert!(!outbox.take_flushed());
        assert!(outbox.advance(10));
        assert!(!outbox.advance(10));
    }
}
