//! Yjs updates as nobody's editor writes them: built field by field from dice so that they get past the first look,
//! and then damaged. Used by the fuzz targets, by the tests against `yjs` and by the long run.

/// Numbers that look random: from bytes as long as there are any, then from a state.
pub struct Dice<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl<'a> Dice<'a> {
    /// The same seed rolls the same.
    pub fn seeded(seed: u64) -> Dice<'static> {
        Dice { bytes: &[], state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// Rolls what the bytes say.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, state: bytes.len() as u64 | 1 }
    }

    /// Whether the bytes have said all they say.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A number below this.
    pub fn roll(&mut self, sides: u64) -> u64 {
        if let Some((first, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return u64::from(*first) % sides;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// The clients of the game. The last is the largest id there is.
pub const CLIENTS: [u64; 5] = [1, 2, 3, 1000, (1 << 53) - 1];
const ROOTS: [&str; 4] = ["text", "map", "array", "xml"];
const KEYS: [&str; 3] = ["a", "b", "title"];
const TEXTS: [&str; 6] = ["x", "hello", "wö", "👍🏽", "日本", "\u{fffd}y"];
const JSONS: [&str; 6] =
    ["true", "null", "\"#f00\"", r#"{"b":1,"a":[1,{"z":null}]}"#, "[1.5,-3,1e3]", "12345678901234567890"];

/// Builds an update for a document that knows its clients so far, and sometimes damages it.
pub fn update(dice: &mut Dice<'_>, ends: &dyn Fn(u64) -> u64) -> Vec<u8> {
    let mut update = build(dice, ends);
    if dice.one_in(3) {
        for _ in 0..=dice.roll(3) {
            damage(dice, &mut update);
        }
    }
    update
}

/// Builds an update that is whole, if not always one that makes sense.
pub fn build(dice: &mut Dice<'_>, ends: &dyn Fn(u64) -> u64) -> Vec<u8> {
    let mut out = Vec::new();
    let first = dice.roll(CLIENTS.len() as u64);
    let sections = if dice.one_in(6) { 0 } else { 1 + dice.roll(3) };
    number(&mut out, sections);
    for section in 0..sections {
        let client = CLIENTS[((first + section) % CLIENTS.len() as u64) as usize];
        let end = ends(client);
        let clock = match dice.roll(12) {
            0 => end + 1 + dice.roll(3),
            1..=3 => end.saturating_sub(dice.roll(6)),
            4 => dice.roll(end + 1),
            _ => end,
        };
        let structs = 1 + dice.roll(5);
        number(&mut out, structs);
        number(&mut out, client);
        number(&mut out, clock);
        let mut next = clock;
        for _ in 0..structs {
            next += item(dice, &mut out, client, next, ends);
        }
    }
    deletes(dice, &mut out, ends);
    out
}

/// Damages some bytes.
pub fn damage(dice: &mut Dice<'_>, update: &mut Vec<u8>) {
    if update.is_empty() {
        return;
    }
    let at = (dice.roll(256) | dice.roll(256) << 8) as usize % update.len();
    match dice.roll(6) {
        0 => update[at] ^= 1 << dice.roll(8),
        1 => update[at] = dice.roll(256) as u8,
        2 => drop(update.remove(at)),
        3 => update.insert(at, dice.roll(256) as u8),
        4 => {
            let end = (at + 1 + dice.roll(12) as usize).min(update.len());
            let piece = update[at..end].to_vec();
            let to = (dice.roll(256) as usize) % update.len();
            update.splice(to..to, piece);
        }
        _ => {
            update.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0x07]);
        }
    }
}

fn deletes(dice: &mut Dice<'_>, out: &mut Vec<u8>, ends: &dyn Fn(u64) -> u64) {
    let clients = if dice.one_in(2) { 0 } else { 1 + dice.roll(2) };
    let first = dice.roll(CLIENTS.len() as u64);
    number(out, clients);
    for client in 0..clients {
        let client = CLIENTS[((first + client) % CLIENTS.len() as u64) as usize];
        let ranges = dice.roll(4);
        number(out, client);
        number(out, ranges);
        for _ in 0..ranges {
            number(out, dice.roll(ends(client) + 2));
            number(out, dice.roll(7));
        }
    }
}

/// Writes a struct; says how long it is.
fn item(dice: &mut Dice<'_>, out: &mut Vec<u8>, own: u64, clock: u64, ends: &dyn Fn(u64) -> u64) -> u64 {
    let kind = match dice.one_in(60) {
        true => [10, 9, 2, 11][dice.roll(4) as usize],
        false => [4, 4, 4, 4, 7, 7, 8, 8, 6, 6, 5, 3, 1, 1, 0][dice.roll(15) as usize],
    };
    if kind == 0 || kind == 10 {
        out.push(kind);
        let len = 1 + dice.roll(4);
        number(out, len);
        return len;
    }
    let place = dice.roll(8);
    let (has_origin, has_right) = (place < 4, matches!(place, 2..=4));
    let has_key = matches!(kind, 7 | 8 | 3) && dice.one_in(3) || dice.one_in(60);
    out.push(
        kind | if has_origin { 0x80 } else { 0 }
            | if has_right { 0x40 } else { 0 }
            | if has_key { 0x20 } else { 0 },
    );
    let mut near = None;
    if has_origin {
        let origin = match clock > 0 && dice.one_in(2) {
            true => (own, clock - 1),
            false => id(dice, own, clock, ends),
        };
        near =
            Some((origin.0, origin.1 + 1)).filter(|it| it.1 < if it.0 == own { clock } else { ends(it.0) });
        write_id(out, origin);
    }
    if has_right {
        let right = match near {
            Some(near) if !dice.one_in(4) => near,
            _ => id(dice, own, clock, ends),
        };
        write_id(out, right);
    }
    if !has_origin && !has_right {
        if dice.one_in(3) {
            out.push(0);
            let parent = id(dice, own, clock, ends);
            write_id(out, parent);
        } else {
            out.push(1);
            string(out, ROOTS[dice.roll(4) as usize]);
        }
        if has_key {
            string(out, KEYS[dice.roll(3) as usize]);
        }
    }
    content(dice, out, kind)
}

fn id(dice: &mut Dice<'_>, own: u64, clock: u64, ends: &dyn Fn(u64) -> u64) -> (u64, u64) {
    let client = if dice.one_in(3) { own } else { CLIENTS[dice.roll(CLIENTS.len() as u64) as usize] };
    let end = if client == own { clock } else { ends(client) };
    (client, if dice.one_in(40) { end + dice.roll(3) } else { dice.roll(end.max(1)) })
}

fn write_id(out: &mut Vec<u8>, (client, clock): (u64, u64)) {
    number(out, client);
    number(out, clock);
}

fn content(dice: &mut Dice<'_>, out: &mut Vec<u8>, kind: u8) -> u64 {
    match kind {
        1 => {
            let len = 1 + dice.roll(5);
            number(out, len);
            len
        }
        2 => {
            number(out, 1);
            string(out, "1");
            1
        }
        3 => {
            string(out, "bytes");
            1
        }
        4 => {
            let text: String = (0..=dice.roll(3)).map(|_| TEXTS[dice.roll(6) as usize]).collect();
            string(out, &text);
            text.encode_utf16().count() as u64
        }
        5 => {
            let last = if dice.one_in(40) { 3 } else { 0 };
            string(out, JSONS[3 - last + dice.roll(3) as usize]);
            1
        }
        6 => {
            string(out, ["bold", "color"][dice.roll(2) as usize]);
            string(out, JSONS[dice.roll(6) as usize]);
            1
        }
        7 => {
            let kind =
                if dice.one_in(60) { dice.roll(9) as u8 } else { [0, 1, 2, 3, 4, 6][dice.roll(6) as usize] };
            out.push(kind);
            if kind == 3 || kind == 5 {
                string(out, "p");
            }
            1
        }
        8 => {
            let count = 1 + dice.roll(4);
            number(out, count);
            (0..count).for_each(|_| value(dice, out, 0));
            count
        }
        9 => {
            string(out, "guid");
            out.extend([118, 0]);
            1
        }
        _ => 1,
    }
}

fn value(dice: &mut Dice<'_>, out: &mut Vec<u8>, depth: u8) {
    let kind = 116 + dice.roll(if depth > 4 { 2 } else { 12 }) as u8;
    // Deep down there are only simple ones.
    let kind = if depth > 4 { [121, 126][usize::from(kind % 2)] } else { kind };
    let kind = if kind == 122 && !dice.one_in(20) { 125 } else { kind };
    out.push(kind);
    match kind {
        125 => out.push(dice.roll(128) as u8),
        124 => out.extend((dice.roll(100) as f32 / 8.0).to_be_bytes()),
        123 => out.extend((dice.roll(100) as f64 / 7.0).to_be_bytes()),
        122 => out.extend([0; 8]),
        119 | 116 => string(out, "v"),
        118 => {
            let count = dice.roll(3);
            number(out, count);
            for _ in 0..count {
                string(out, KEYS[dice.roll(3) as usize]);
                value(dice, out, depth + 1);
            }
        }
        117 => {
            let count = dice.roll(3);
            number(out, count);
            (0..count).for_each(|_| value(dice, out, depth + 1));
        }
        _ => {}
    }
}

/// Writes a number as lib0 does.
pub fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes a string as lib0 does.
pub fn string(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
