//! Opening a dashboard: its room is loaded, its board folded from the last snapshot and the entries after it, in jobs,
//! and what has waited for it goes on.

use super::access::{self, owner};
use super::board::Board;
use super::desk::Desk;
use super::{BOARDS_BYTES_MAX, Dashboards, Parked, Waiting};
use crate::auth::{Permission, User, UserType};
use crate::context::Context;
use crate::ids::{RoomId, Seq};
use crate::job::{Job, Outcome};
use crate::refusal::Refusal;
use crate::room::{Replayed, Told};
use crate::store::{Change, Entry, RoomRecord, RoomRow, Row, StoreReply, StoreRequest, Visibility};
use crate::tickets::Pending;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How often a write of unknown outcome is looked after.
const WRITE_TRIES_MAX: u32 = 8;

/// What a board is folded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// Nothing.
    Empty,
    /// A snapshot.
    Snapshot(Bytes),
    /// The board as far as it was folded.
    Board(Box<Board>),
}

/// A board that is being folded.
#[derive(Debug)]
pub struct Building {
    /// Tells it from others of the same room.
    number: u64,
    /// As far as it is folded; taken out while a job has it.
    base: Base,
    /// The last entry in it.
    seq: Seq,
}

/// Folds entries; `None`: the snapshot cannot be read.
pub fn fold(base: &Base, entries: &[Entry]) -> Option<Board> {
    let mut board = match base {
        Base::Empty => Board::default(),
        Base::Snapshot(snapshot) => Board::restored(snapshot)?,
        Base::Board(board) => (**board).clone(),
    };
    entries.iter().for_each(|entry| board.fold(entry));
    Some(board)
}

impl Base {
    /// What is looked at to fold it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Snapshot(snapshot) => snapshot.len(),
            Self::Board(board) => board.bytes(),
        }
    }
}

impl Dashboards {
    /// Whether a dashboard has to be opened first, or something waits for it that came before.
    pub(super) fn is_closed(&self, room: &RoomId, ctx: &mut Context<'_>) -> bool {
        let is_open = ctx.rooms.touch(room, ctx.fx.now).is_some() && self.desks.contains_key(room);
        self.parked.holds(room) || !is_open
    }

    pub(super) fn has_no_place(&self, ctx: &Context<'_>) -> bool {
        self.parked.is_full() || ctx.fx.is_busy() || ctx.rooms.is_full() || self.bytes >= BOARDS_BYTES_MAX
    }

    pub(super) fn park(&mut self, room: RoomId, parked: Parked, ctx: &mut Context<'_>) {
        if self.parked.park(room.clone(), parked) {
            load(room, ctx);
        }
    }

    /// A room was made, changed or deleted, or its members were.
    pub fn on_room_changed(&mut self, id: &RoomId) {
        if !self.building.contains_key(id) {
            self.parked.room_changed(id);
        }
    }

    pub(super) fn on_loaded(&mut self, id: RoomId, reply: StoreReply, ctx: &mut Context<'_>) {
        if self.parked.is_outdated(&id) {
            return load(id, ctx);
        }
        let StoreReply::Loaded(record) = reply else {
            return self.refuse_parked(&id, &Refusal::store_unavailable(), ctx);
        };
        match record {
            Some(record) if record.room.is_some() || owner(&id).is_some() => self.build(*record, ctx),
            None if owner(&id).is_some() => self.build(RoomRecord::begun(id, None, vec![]), ctx),
            Some(_) | None if ctx.fx.settings.create_on_open && self.maker(&id).is_some() => {
                self.create(id, 1, ctx);
            }
            Some(_) | None => self.refuse_parked(&id, &access::absent(), ctx),
        }
    }

    /// Who may make a dashboard by opening it.
    fn maker(&self, id: &RoomId) -> Option<&User> {
        self.parked.waiting(id).iter().find_map(|parked| {
            let user = match parked {
                Parked::Command(caller, command) if command.opens() => &*caller.user,
                Parked::Visit(visit) => &*visit.user,
                Parked::Command(..) | Parked::Posting(..) => return None,
            };
            let may = user.user_type != UserType::Guest && user.permissions.allow(Permission::RoomCreate);
            may.then_some(user)
        })
    }

    fn made(&self, id: &RoomId) -> Option<RoomRow> {
        let user = self.maker(id)?;
        let (name, firm) = (id.name.to_string(), user.firm.clone());
        Some(RoomRow { id: id.clone(), name, firm, visibility: Visibility::Public })
    }

    fn create(&mut self, room: RoomId, tries: u32, ctx: &mut Context<'_>) {
        let Some(row) = self.made(&room) else { return };
        let rows = vec![Change::Insert(Row::Room(row))];
        let waiting = Waiting::Create { room, tries };
        ctx.fx.store(StoreRequest::Commit { appends: vec![], rows }, Pending::Dashboards(waiting));
    }

    pub(super) fn on_created(&mut self, id: RoomId, tries: u32, reply: &StoreReply, ctx: &mut Context<'_>) {
        match reply {
            StoreReply::Committed(_) => match self.made(&id) {
                Some(row) => self.build(RoomRecord::begun(id, Some(row), vec![]), ctx),
                None => self.refuse_parked(&id, &access::absent(), ctx),
            },
            StoreReply::Unknown if tries < WRITE_TRIES_MAX => self.create(id, tries + 1, ctx),
            // By somebody else, or by the try before this one.
            StoreReply::Taken(_) => load(id, ctx),
            StoreReply::Unknown
            | StoreReply::Unavailable
            | StoreReply::Stale { .. }
            | StoreReply::Loaded(_)
            | StoreReply::Entries { .. }
            | StoreReply::Heads(_)
            | StoreReply::Found(_)
            | StoreReply::Appended { .. } => self.refuse_parked(&id, &Refusal::store_unavailable(), ctx),
        }
    }

    /// The room is there: its board is folded from the last snapshot on.
    fn build(&mut self, record: RoomRecord, ctx: &mut Context<'_>) {
        let id = record.id.clone();
        let snapshot = ctx.rooms.open(record, ctx.fx.now).take_snapshot();
        let (base, seq) = match snapshot {
            Some(snapshot) => (Base::Snapshot(snapshot.state), snapshot.seq),
            None => (Base::Empty, Seq::ZERO),
        };
        self.build_from(id, base, seq, ctx);
    }

    fn build_from(&mut self, id: RoomId, base: Base, seq: Seq, ctx: &mut Context<'_>) {
        let number = self.next_number();
        self.building.insert(id.clone(), Building { number, base, seq });
        self.go_on_building(&id, ctx);
    }

    fn go_on_building(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        let Some(seq) = self.building.get(id).map(|building| building.seq) else { return };
        let Some(room) = ctx.rooms.touch(id, ctx.fx.now) else {
            return self.stop_building(id, &Refusal::store_unavailable(), ctx);
        };
        if let Some(entries) = room.replay(seq, &mut ctx.fx) {
            self.fold_further(id, entries, ctx);
        }
    }

    fn fold_further(&mut self, id: &RoomId, entries: Vec<Entry>, ctx: &mut Context<'_>) {
        let Some(building) = self.building.get_mut(id) else { return };
        match std::mem::replace(&mut building.base, Base::Empty) {
            Base::Empty if entries.is_empty() => self.open(id, Board::default(), ctx),
            Base::Board(board) if entries.is_empty() => self.open(id, *board, ctx),
            base @ (Base::Empty | Base::Snapshot(_) | Base::Board(_)) => {
                let waiting = Waiting::Folded(id.clone(), building.number);
                ctx.fx.work(Job::FoldBoard { base, entries }, Pending::Dashboards(waiting));
            }
        }
    }

    /// A page of a log that is to be folded.
    pub fn on_replayed(&mut self, (id, entries): Replayed, ctx: &mut Context<'_>) {
        match entries {
            Some(entries) => self.fold_further(&id, entries, ctx),
            None => self.stop_building(&id, &Refusal::store_unavailable(), ctx),
        }
    }

    pub(super) fn on_folded(&mut self, id: RoomId, number: u64, board: Option<Board>, ctx: &mut Context<'_>) {
        let Some(building) = self.building.get_mut(&id).filter(|building| building.number == number) else {
            return;
        };
        match board {
            Some(board) => {
                building.seq = board.seq;
                building.base = Base::Board(Box::new(board));
                self.go_on_building(&id, ctx);
            }
            // A snapshot that cannot be read is none: the log says the same.
            None => self.build_from(id, Base::Empty, Seq::ZERO, ctx),
        }
    }

    pub(super) fn stop_building(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        if self.building.remove(id).is_some() {
            self.refuse_parked(id, refusal, ctx);
        }
    }

    /// A board is folded: what waited for it goes on.
    fn open(&mut self, id: &RoomId, board: Board, ctx: &mut Context<'_>) {
        self.building.remove(id);
        self.bytes += board.bytes();
        self.desks.insert(id.clone(), Box::new(Desk::of(board)));
        for parked in self.parked.take(id) {
            match parked {
                Parked::Command(caller, command) => {
                    if let Err((caller, refusal)) = self.apply_open(id, command, caller, ctx) {
                        ctx.fx.refuse(&caller, &super::spelling::about(id, super::refused(&refusal)));
                    }
                }
                Parked::Visit(visit) => self.receive(*visit, id, ctx),
                Parked::Posting(post, posting) => ctx.fx.board_posts.push((post, posting)),
            }
        }
    }

    /// A dashboard is not to be had: whoever waited for it hears why.
    pub(super) fn refuse_parked(&mut self, id: &RoomId, refusal: &Refusal, ctx: &mut Context<'_>) {
        for parked in self.parked.take(id) {
            match parked {
                Parked::Command(caller, command) if command.closes() => self.close(id, &caller, ctx),
                Parked::Command(caller, _) => {
                    ctx.fx.refuse(&caller, &super::spelling::about(id, super::refused(refusal)));
                }
                Parked::Visit(visit) => self.turn_away(*visit, refusal.clone(), ctx),
                Parked::Posting(post, _) => ctx.fx.posted.push((post, Err(refusal.clone()))),
            }
        }
    }

    /// An entry was told: the board moves on, and now and then it is written as a snapshot.
    pub fn on_told(&mut self, told: &Told, ctx: &mut Context<'_>) {
        let id = &told.entry.room;
        let Some(desk) = self.desks.get_mut(id) else { return };
        let before = desk.board.bytes();
        desk.fold(&told.entry);
        self.bytes = self.bytes + desk.board.bytes() - before;
        self.due.insert(id.clone());
        let busy = ctx.fx.is_busy();
        if let Some(room) = ctx.rooms.find(id)
            && !busy
            && room.begin_snapshot()
        {
            let job = Job::WriteBoard { board: Box::new(desk.board.clone()) };
            ctx.fx.work(job, Pending::Dashboards(Waiting::Written(id.clone())));
        }
    }

    pub(super) fn on_written(&mut self, id: &RoomId, outcome: Outcome, ctx: &mut Context<'_>) {
        let Some(room) = ctx.rooms.find(id) else { return };
        match outcome {
            Outcome::Written(seq, state) => room.keep_snapshot(seq, &state, &mut ctx.fx),
            Outcome::Token(_)
            | Outcome::Service(_)
            | Outcome::Rendered(_)
            | Outcome::Inspected(_)
            | Outcome::Joined(_)
            | Outcome::Doc(_)
            | Outcome::Unpacked(_)
            | Outcome::Spelled(_)
            | Outcome::Board(_) => room.drop_snapshot(),
        }
    }

    /// Rooms are forgotten that nobody has used for a while, and their boards with them. Nothing is left without its
    /// answer by that.
    pub fn on_forgotten(&mut self, id: &RoomId, ctx: &mut Context<'_>) {
        self.refuse_cases(id, &Refusal::busy(), ctx);
        self.stop_building(id, &Refusal::busy(), ctx);
        self.due.remove(id);
        if let Some(desk) = self.desks.remove(id) {
            self.bytes -= desk.board.bytes();
        }
    }
}

fn load(room: RoomId, ctx: &mut Context<'_>) {
    let request = StoreRequest::Load { room: room.clone() };
    ctx.fx.store(request, Pending::Dashboards(Waiting::Load(room)));
}
