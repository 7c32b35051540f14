//! Names that the server makes up, after PostgreSQL's rules (`ChooseRelationName`, `makeObjectName`).

/// The longest identifier in bytes (PostgreSQL's NAMEDATALEN - 1).
pub const NAME_BYTES_MAX: usize = 63;

/// Joins `first`, `second` and `label` with underscores into at most 63 bytes, shortening the longer of the
/// first two, and appends the lowest number that makes the name free.
pub fn choose_name(first: &str, second: Option<&str>, label: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = make_name(first, second, label);
    let mut pass = 0u32;
    while is_taken(&name) {
        pass += 1;
        name = make_name(first, second, &format!("{label}{pass}"));
    }
    name
}

fn make_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(second.is_some());
    let room = NAME_BYTES_MAX.saturating_sub(overhead);
    let mut first_len = first.len();
    let mut second_len = second.map_or(0, str::len);
    while first_len + second_len > room {
        if first_len > second_len {
            first_len -= 1;
        } else {
            second_len -= 1;
        }
    }
    let mut name = clip(first, first_len).to_owned();
    if let Some(second) = second {
        name.push('_');
        name.push_str(clip(second, second_len));
    }
    name.push('_');
    name.push_str(label);
    name
}

/// The longest prefix of at most `len_max` bytes that ends between two characters.
pub fn clip(text: &str, len_max: usize) -> &str {
    let mut end = len_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_free_number() {
        let taken = ["t_a_key", "t_a_key1"];
        assert_eq!(choose_name("t", Some("a"), "key", |name| taken.contains(&name)), "t_a_key2");
        assert_eq!(choose_name("t", None, "pkey", |_| false), "t_pkey");
    }

    #[test]
    fn shortens_the_longer_part_between_characters() {
        let table = "é".repeat(40);
        let name = choose_name(&table, Some("column"), "idx", |_| false);
        assert!(name.len() <= NAME_BYTES_MAX);
        assert!(name.ends_with("_column_idx"));
    }
}
