//! A stream of events as `text/event-stream` writes them (WHATWG HTML, server-sent events), read piece by piece:
//! whatever the pieces are, the events are the same. A line ends with CRLF, LF or CR; a comment, and a field that is
//! neither `event` nor `data`, says nothing here.

/// What begins a stream that says that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name; `message` where the stream gives none.
    pub name: String,
    /// Its data: the lines, with LF between them.
    pub data: String,
}

/// Reads a stream. What it holds is never more than the bytes it may be given.
#[derive(Debug)]
pub struct EventReader {
    /// How many bytes it may still be given.
    bytes_left: usize,
    bytes_max: usize,
    /// Of the line that has not ended.
    line: Vec<u8>,
    is_first_line: bool,
    /// Whether the last byte was a CR: an LF after it ends no other line.
    after_cr: bool,
    name: String,
    /// The lines of the event that has not ended, each with an LF behind it.
    data: String,
}

impl EventReader {
    /// A reader of a stream of so many bytes at the most.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_left: bytes_max,
            bytes_max,
            line: Vec::new(),
            is_first_line: true,
            after_cr: false,
            name: String::new(),
            data: String::new(),
        }
    }

    /// Takes in the next piece and adds the events that end in it to `events`, in order. The error says what is wrong
    /// with the stream, of which nothing more is to be read then; what ended before stands in `events`.
    pub fn take(&mut self, piece: &[u8], events: &mut Vec<ServerEvent>) -> Result<(), String> {
        let (within, over) = piece.split_at(piece.len().min(self.bytes_left));
        self.bytes_left -= within.len();
        let mut rest = within;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(rest);
                break;
            };
            self.line.extend_from_slice(&rest[..end]);
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            events.extend(self.end_line()?);
        }
        match over.is_empty() {
            true => Ok(()),
            false => Err(format!("a stream of over {} bytes", self.bytes_max)),
        }
    }

    /// The stream has ended in order: the event that was not ended by an empty line, if there is one.
    pub fn end(mut self) -> Result<Option<ServerEvent>, String> {
        let last = if self.line.is_empty() { None } else { self.end_line()? };
        Ok(last.or_else(|| self.end_event()))
    }

    fn end_line(&mut self) -> Result<Option<ServerEvent>, String> {
        let bytes = std::mem::take(&mut self.line);
        let marked =
            if std::mem::take(&mut self.is_first_line) { bytes.strip_prefix(BYTE_ORDER_MARK) } else { None };
        let line =
            str::from_utf8(marked.unwrap_or(&bytes)).map_err(|_| "a stream that is not UTF-8".to_string())?;
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_string(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            _ => {}
        }
        Ok(None)
    }

    /// An event without data is none, and its name is not that of the next.
    fn end_event(&mut self) -> Option<ServerEvent> {
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        data.pop()?;
        Some(ServerEvent { name: if name.is_empty() { "message".to_string() } else { name }, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], piece: usize) -> (Vec<(String, String)>, Result<(), String>) {
        let (mut reader, mut events) = (EventReader::new(64), Vec::new());
        let mut result = Ok(());
        for piece in bytes.chunks(piece) {
            result = reader.take(piece, &mut events);
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            result = reader.end().map(|last| events.extend(last));
        }
        (events.into_iter().map(|event| (event.name, event.data)).collect(), result)
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_string(), data.to_string())
    }

    #[test]
    fn events_are_the_same_whatever_ends_a_line_and_wherever_the_stream_is_cut() {
        for end in ["\n", "\r", "\r\n"] {
            let lines =
                ["\u{feff}event: a", "data: ö", "data:", "data:  x", ": no", "id: 1", "", "data", "", ""];
            let bytes = lines.join(end).into_bytes();
            for piece in 1..=bytes.len() {
                let expected = vec![event("a", "ö\n\n x"), event("message", "")];
                assert_eq!(read(&bytes, piece), (expected, Ok(())), "{end:?} {piece}");
            }
        }
    }

    #[test]
    fn an_event_without_data_is_none_and_leaves_its_name_to_nobody() {
        assert_eq!(read(b"event: a\n\ndata: x\n\n", 3), (vec![event("message", "x")], Ok(())));
        assert_eq!(read(b"\n\n\r\n: only this", 1), (vec![], Ok(())));
    }

    #[test]
    fn the_last_event_needs_no_empty_line_behind_it() {
        assert_eq!(read(b"event: a\ndata: x\n", 5).0, [event("a", "x")]);
        assert_eq!(read(b"event: a\ndata: x", 5).0, [event("a", "x")]);
        assert_eq!(read(b"data: x\n\nevent: a", 5).0, [event("message", "x")]);
    }

    #[test]
    fn a_mark_is_left_out_at_the_beginning_only() {
        let (events, result) = read("\u{feff}data: \u{feff}x\n\n\u{feff}data: y\n\n".as_bytes(), 2);
        assert_eq!((events, result), (vec![event("message", "\u{feff}x")], Ok(())));
    }

    #[test]
    fn what_is_not_utf8_ends_the_stream_where_it_stands() {
        let (events, result) = read(b"data: x\n\ndata: \xff\n\ndata: y\n\n", 64);
        assert_eq!(events, [event("message", "x")]);
        assert_eq!(result, Err("a stream that is not UTF-8".to_string()));
    }

    #[test]
    fn a_stream_is_read_to_its_limit_and_no_further() {
        let with = |length: usize| format!("data: {}\n\n", "x".repeat(length - 8)).into_bytes();
        let over = Err("a stream of over 64 bytes".to_string());
        for piece in [1, 7, 100] {
            assert_eq!(read(&with(64), piece), (vec![event("message", &"x".repeat(56))], Ok(())));
            assert_eq!(read(&with(65), piece), (vec![], over.clone()), "{piece}");
            assert_eq!(read(&[b'x'; 65], piece), (vec![], over.clone()), "a line without an end");
        }
    }
}
