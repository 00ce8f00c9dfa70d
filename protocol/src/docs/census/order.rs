//! The order of items in their lists, as `yrs` and `yjs` find it.

use super::{COPIES_PER_MOVE, Census, Kind, Known, NOWHERE, PASSED_PER_STEP, Undo};
use crate::docs::scan::{Id, Struct};
use std::ops::Range;

/// No cell.
pub(super) const NONE: u32 = u32::MAX;

/// Items of one client that follow each other in their clocks and in their list, and which nothing stands between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    client: u64,
    clock: u32,
    len: u32,
    pub(super) list: u32,
    pub(super) kind: Kind,
    left: u32,
    right: u32,
    origin: Option<Id>,
    right_origin: Option<Id>,
    /// By which searches it was passed last, and by which it was passed as one in conflict.
    passed: u32,
    in_conflict: u32,
    /// Which update added something to it last.
    update: u32,
}

impl Census {
    /// The cell in which a struct stands that is known.
    pub(super) fn cell(&self, id: Id) -> &Cell {
        &self.cells[self.find(id) as usize]
    }

    fn find(&self, id: Id) -> u32 {
        let cells = &self.clients[&id.client].cells;
        cells[cells.partition_point(|cell| self.cells[*cell as usize].clock <= id.clock) - 1]
    }

    fn at(&mut self, cell: u32) -> &mut Cell {
        &mut self.cells[cell as usize]
    }

    fn step(&mut self, steps: usize) -> Result<(), String> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(TOO_MANY_STEPS)?;
        Ok(())
    }

    fn copy(&mut self, characters: usize) -> Result<(), String> {
        self.copies_left = self.copies_left.checked_sub(characters).ok_or(TOO_MANY_COPIES)?;
        Ok(())
    }

    /// Puts a struct where it belongs in its list.
    pub(super) fn place(
        &mut self,
        client: u64,
        part: &Struct,
        list: u32,
        kind: Kind,
        goes_on: bool,
    ) -> Result<(), String> {
        let (mut left, mut right, mut between) = (NONE, NONE, NONE);
        if list != NOWHERE {
            // Only when both are cut is it known which cells they are.
            if let Some(origin) = part.origin {
                self.cut(Id { clock: origin.clock + 1, ..origin })?;
            }
            if let Some(origin) = part.right {
                self.cut(origin)?;
                right = self.find(origin);
            }
            left = part.origin.map_or(NONE, |origin| self.find(origin));
            let Known { is_keyed, cells, .. } = self.lists[list as usize];
            if is_keyed && left == NONE {
                // `yrs` goes from the last value under a key to the first, and does so twice.
                self.step(2 * cells / PASSED_PER_STEP)?;
            }
            between = if left == NONE { self.lists[list as usize].first } else { self.at(left).right };
            if between != right {
                left = self.search(client, part, left, between, right)?;
                between = if left == NONE { self.lists[list as usize].first } else { self.at(left).right };
            }
        }
        let (clock, len, update) = (part.clock, part.len, self.update);
        let known = self.clients.entry(client).or_default();
        known.end = part.end();
        if let Some(last) = known.cells.last().copied() {
            let grown = &mut self.cells[last as usize];
            let follows = left == last
                && part.origin == Some(Id { client, clock: clock - 1 })
                && grown.right_origin == part.right
                && matches!(kind, Kind::Deleted | Kind::Text | Kind::Values)
                // `yrs` joins what comes apart only in the end.
                && (goes_on || grown.update != update);
            if grown.list == list && grown.kind == kind && (follows || list == NOWHERE) {
                grown.len += len;
                grown.update = update;
                self.undo.push(Undo::Grown { client, by: len });
                return Ok(());
            }
        }
        let cell = self.cells.len() as u32;
        known.cells.push(cell);
        let (origin, right_origin) = (part.origin, part.right);
        let (passed, in_conflict, right) = (0, 0, between);
        self.cells.push(Cell {
            client,
            clock,
            len,
            list,
            kind,
            left,
            right,
            origin,
            right_origin,
            passed,
            in_conflict,
            update,
        });
        self.link(cell);
        self.undo.push(Undo::Added);
        Ok(())
    }

    /// Left of what between its neighbours a struct goes; the one left of it.
    fn search(
        &mut self,
        client: u64,
        part: &Struct,
        mut left: u32,
        between: u32,
        right: u32,
    ) -> Result<u32, String> {
        let first_mark = self.next_mark();
        let (mut mark, mut next, mut found, mut passed) = (first_mark, between, false, 0_usize);
        while next != right {
            if next == NONE {
                // It was judged when it came; in a document that is loaded others can stand otherwise.
                if self.is_own {
                    break;
                }
                return Err("an item whose right neighbour is not right of its left one".to_string());
            }
            let other = *self.at(next);
            passed += 1;
            if !found || passed.is_multiple_of(PASSED_PER_STEP) {
                self.step(1)?;
            }
            if !found {
                (self.at(next).passed, self.at(next).in_conflict) = (first_mark, mark);
                if part.origin == other.origin {
                    if other.client < client {
                        left = next;
                        mark = self.next_mark();
                    } else {
                        found = part.right == other.right_origin;
                    }
                } else {
                    let origin = other.origin.map(|origin| *self.cell(origin));
                    match origin.filter(|origin| origin.passed >= first_mark) {
                        Some(origin) if origin.in_conflict < mark => {
                            left = next;
                            mark = self.next_mark();
                        }
                        Some(_) => {}
                        None => found = true,
                    }
                }
            }
            // Nothing is to the right of what has no right neighbour.
            if found && right == NONE {
                break;
            }
            next = other.right;
        }
        Ok(left)
    }

    fn next_mark(&mut self) -> u32 {
        if self.mark == u32::MAX {
            self.mark = 0;
            self.cells.iter_mut().for_each(|cell| (cell.passed, cell.in_conflict) = (0, 0));
        }
        self.mark += 1;
        self.mark
    }

    /// Cuts the cell in which this is, so that one begins with it.
    fn cut(&mut self, at: Id) -> Result<(), String> {
        if at.clock >= self.end(at.client) {
            return Ok(());
        }
        let cell = self.find(at);
        let whole = *self.at(cell);
        let offset = at.clock - whole.clock;
        if offset == 0 {
            return Ok(());
        }
        let cells = self.clients[&at.client].cells.len();
        let copied = if matches!(whole.kind, Kind::Text | Kind::Values) { whole.len as usize } else { 0 };
        self.copy(copied + cells * COPIES_PER_MOVE)?;
        self.at(cell).len = offset;
        let rest = self.cells.len() as u32;
        self.cells.push(Cell {
            clock: at.clock,
            len: whole.len - offset,
            left: if whole.list == NOWHERE { NONE } else { cell },
            origin: Some(Id { clock: at.clock - 1, ..at }),
            ..whole
        });
        self.link(rest);
        let known = self.clients.entry(at.client).or_default();
        let index = known.cells.partition_point(|other| self.cells[*other as usize].clock < at.clock);
        known.cells.insert(index, rest);
        self.undo.push(Undo::Cut);
        Ok(())
    }

    /// Cuts where deletions begin and end.
    pub(crate) fn cut_deleted(&mut self, client: u64, ranges: &[Range<u32>]) -> Result<(), String> {
        for range in ranges {
            for clock in [range.start, range.end] {
                self.cut(Id { client, clock })?;
            }
        }
        Ok(())
    }

    /// Tells the neighbours of a cell that it is there.
    fn link(&mut self, cell: u32) {
        let Cell { list, left, right, .. } = *self.at(cell);
        self.lists[list as usize].cells += 1;
        match left {
            _ if list == NOWHERE => {}
            NONE => self.lists[list as usize].first = cell,
            left => self.at(left).right = cell,
        }
        if right != NONE {
            self.at(right).left = cell;
        }
    }

    fn unlink(&mut self, cell: &Cell) {
        self.lists[cell.list as usize].cells -= 1;
        match cell.left {
            _ if cell.list == NOWHERE => {}
            NONE => self.lists[cell.list as usize].first = cell.right,
            left => self.at(left).right = cell.right,
        }
        if cell.right != NONE {
            self.at(cell.right).left = cell.left;
        }
    }

    /// Takes away the cell that came last.
    pub(super) fn remove_last(&mut self) {
        let Some(last) = self.cells.pop() else { return };
        self.unlink(&last);
        self.shorten(last.client, last.len);
    }

    /// The last cell of a client, which has grown, becomes shorter again.
    pub(super) fn shrink(&mut self, client: u64, by: u32) {
        if let Some(cell) = self.clients.get(&client).and_then(|client| client.cells.last().copied()) {
            self.at(cell).len -= by;
        }
        if let Some(known) = self.clients.get_mut(&client) {
            known.end -= by;
        }
    }

    fn shorten(&mut self, client: u64, by: u32) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        known.cells.pop();
        known.end -= by;
        if known.end == 0 {
            self.clients.remove(&client);
        }
    }

    /// Joins the cell that came last with what it was cut off.
    pub(super) fn uncut(&mut self) {
        let Some(last) = self.cells.pop() else { return };
        self.unlink(&last);
        let known = self.clients.entry(last.client).or_default();
        let index = known.cells.partition_point(|cell| {
            self.cells.get(*cell as usize).is_some_and(|cell| cell.clock < last.clock)
        });
        known.cells.remove(index);
        if let Some(before) = index.checked_sub(1).map(|index| known.cells[index]) {
            self.at(before).len += last.len;
        }
    }
}

const TOO_MANY_STEPS: &str = "it would take too long to find the places of its items";
const TOO_MANY_COPIES: &str = "it would take too long to cut the texts that it changes";
