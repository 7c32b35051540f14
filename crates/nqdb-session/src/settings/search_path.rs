//! `search_path`: a list of names, quoted where they are not plain.

/// Splits the list; `None` when its syntax is wrong. Names outside quotes are folded to lower case.
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => {
                let end = rest.find([',', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                if name.is_empty() || name.contains('"') {
                    return None;
                }
                (name.to_lowercase(), behind)
            }
        };
        names.push(name);
        let behind = behind.trim_start();
        match behind.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if behind.is_empty() => return Some(names),
            None => return None,
        }
    }
}

/// Reads up to the closing quote; two quotes stand for one.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (piece, behind) = rest.split_once('"')?;
        name.push_str(piece);
        match behind.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None if name.is_empty() => return None,
            None => return Some((name, behind)),
        }
    }
}

/// Joins what SET listed, quoting what is not a plain name.
pub fn join(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

/// A name as SQL text, in double quotes where it needs them.
pub fn quote(name: &str) -> String {
    let plain = name.bytes().enumerate().all(|(at, byte)| {
        byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && (byte.is_ascii_digit() || byte == b'$'))
    });
    if plain && !name.is_empty() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_quotes_as_postgresql_does() {
        assert_eq!(split("\"$user\", Public").unwrap(), ["$user", "public"]);
        assert_eq!(split("\"a\"\"b\",c").unwrap(), ["a\"b", "c"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        for wrong in ["a,", ",a", "a b", "\"open", "\"\""] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
        assert_eq!(join(&["Upper".into(), "plain_1".into(), "$user".into()]), "\"Upper\", plain_1, \"$user\"");
    }
}
