//! What somebody types into a dialogue: a message, or a word to the program itself.

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Send this text.
    Say(String),
    /// Send these bytes.
    SayBytes(Vec<u8>),
    /// Send a ping.
    Ping,
    /// Close with this code, and end.
    Close(u16),
    /// Say what can be typed.
    Help,
    /// Nothing was typed.
    Nothing,
}

/// What can be typed.
pub const HELP: &str = "a line is sent as it stands; //… is sent as /…; /quit ends with 1000, /close CODE with another code, \
                        /ping pings, /hex 00ff sends bytes";

impl Line {
    /// Reads a line without its end. The error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let Some(order) = text.strip_prefix('/') else {
            return Ok(if text.is_empty() { Self::Nothing } else { Self::Say(text.to_string()) });
        };
        let (word, rest) = order.split_once(' ').unwrap_or((order, ""));
        let rest = rest.trim();
        match word {
            "quit" => Ok(Self::Close(1000)),
            "help" => Ok(Self::Help),
            "ping" => Ok(Self::Ping),
            "hex" => unhex(rest)
                .map(Self::SayBytes)
                .ok_or_else(|| "/hex takes pairs of hexadecimal digits".to_string()),
            "close" => match rest.parse() {
                Ok(code @ (1000 | 3000..=4999)) => Ok(Self::Close(code)),
                Ok(_) | Err(_) => Err(format!("/close takes 1000 or 3000 to 4999, not {rest:?}")),
            },
            _ if order.starts_with('/') => Ok(Self::Say(order.to_string())),
            _ => Err(format!("/{word} is nothing known: {HELP}")),
        }
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    pairs.iter().map(byte).collect::<Option<_>>().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_slash_is_for_the_program() {
        assert_eq!(Line::read("{\"type\":\"ping\"}"), Ok(Line::Say("{\"type\":\"ping\"}".into())));
        assert_eq!(Line::read("//x"), Ok(Line::Say("/x".into())));
        assert_eq!(Line::read(""), Ok(Line::Nothing));
        assert_eq!(
            (Line::read("/quit"), Line::read("/close 4005")),
            (Ok(Line::Close(1000)), Ok(Line::Close(4005)))
        );
        assert_eq!(
            (Line::read("/ping"), Line::read("/hex 00Ff")),
            (Ok(Line::Ping), Ok(Line::SayBytes(vec![0, 255])))
        );
        assert_eq!(Line::read("/close 1006"), Err("/close takes 1000 or 3000 to 4999, not \"1006\"".into()));
        assert!(
            Line::read("/hex 0").is_err() && Line::read("/hex aé").is_err() && Line::read("/hex +1").is_err()
        );
        assert!(Line::read("/what").is_err_and(|why| why.starts_with("/what is nothing known: ")));
    }
}
