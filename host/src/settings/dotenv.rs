//! `.env`: lines of `KEY=value`, comments behind `#`, quotes where a value needs them.

/// The pairs of a `.env` file in order, or the number of the line that is none.
pub fn parse(text: &str) -> Result<Vec<(&str, &str)>, usize> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| pair(line).ok_or(index + 1))
        .collect()
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, rest) = line.split_once('=')?;
    let key = key.trim();
    let is_name = !key.is_empty() && !key.contains(|char: char| char.is_whitespace() || char == '#');
    is_name.then_some((key, value(rest.trim())?))
}

/// Quoted: all between the quotes as it stands. Bare: all up to a `#` that follows a space.
fn value(rest: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let (inner, after) = quoted.split_once(quote)?;
            let after = after.trim_start();
            return (after.is_empty() || after.starts_with('#')).then_some(inner);
        }
    }
    if rest.starts_with('#') {
        return Some("");
    }
    let comment = rest.match_indices('#').find(|(at, _)| rest[..*at].ends_with([' ', '\t']));
    Some(comment.map_or(rest, |(at, _)| rest[..at].trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_comments_quotes_and_exports_are_understood() {
        let text = "\u{feff}# all of it\n\nA=1\r\n B = two words # said aside\nexport C='a # b'\nD=\"x'y\" # z\n\
                    E=\nF=a#b\nG=#\nH=a=b\n";
        assert_eq!(
            parse(text),
            Ok(vec![
                ("A", "1"),
                ("B", "two words"),
                ("C", "a # b"),
                ("D", "x'y"),
                ("E", ""),
                ("F", "a#b"),
                ("G", ""),
                ("H", "a=b"),
            ])
        );
    }

    #[test]
    fn a_line_that_is_no_pair_is_named_by_its_number() {
        assert_eq!(parse("A=1\nnothing here\n"), Err(2));
        assert_eq!(parse("=1"), Err(1));
        assert_eq!(parse("\n\nA=\"open"), Err(3));
        assert_eq!(parse("A='closed' too soon'"), Err(1));
    }
}
