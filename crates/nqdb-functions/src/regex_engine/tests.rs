use super::*;

fn may_go_on() -> SqlResult<()> {
    Ok(())
}

/// The whole match and its groups, as text.
fn found(pattern: &str, text: &str) -> Option<Vec<Option<String>>> {
    let pattern = Pattern::compile(pattern, RegexOptions::DEFAULT).expect("a valid pattern");
    let captures = Search::new(&pattern, text).find(0, &may_go_on).expect("not interrupted")?;
    let groups = (0..=pattern.group_count()).map(|group| captures.group(group));
    Some(groups.map(|group| group.map(|(start, end)| text[start..end].to_string())).collect())
}

fn expect(pattern: &str, text: &str, groups: &[Option<&str>]) {
    let groups: Vec<Option<String>> = groups.iter().map(|group| group.map(str::to_string)).collect();
    assert_eq!(found(pattern, text), Some(groups), "{pattern} on {text}");
}

#[test]
fn the_longest_of_several_branches_counts() {
    expect("a|ab", "xabc", &[Some("ab")]);
    expect("(a|ab)(c|bcd)", "abcd", &[Some("abcd"), Some("a"), Some("bcd")]);
    expect("(?:a|ab)??", "ab", &[Some("")]);
}

#[test]
fn preferences_follow_the_manual() {
    expect("Y*([0-9]{1,3})", "XY1234Z", &[Some("Y123"), Some("123")]);
    expect("Y*?([0-9]{1,3})", "XY1234Z", &[Some("Y1"), Some("1")]);
    expect("(\\w).*?\\1", "Programmer", &[Some("rogr"), Some("r")]);
    expect(
        "^([^/]+?)(?:/([^/]+?))(?:/([^/]+?))?$",
        "foo/bar/baz",
        &[Some("foo/bar/baz"), Some("foo"), Some("bar"), Some("baz")],
    );
}

#[test]
fn groups_keep_what_their_last_repetition_took() {
    expect("((a)|b)+", "ab", &[Some("ab"), Some("b"), None]);
    expect("(a*)+", "aa", &[Some("aa"), Some("")]);
}

#[test]
fn conditions_look_beyond_the_match() {
    expect("(?<=a)b(?!c)", "bcabcab", &[Some("b")]);
    expect("\\m\\w+\\M", " über-all ", &[Some("ber")]);
    assert_eq!(found("\\Aa\\Z", "a\n"), None);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let reason =
        |pattern: &str| Pattern::compile(pattern, RegexOptions::DEFAULT).expect_err(pattern).message().to_string();
    for (pattern, expected) in [
        ("(", "parentheses () not balanced"),
        ("a)", "parentheses () not balanced"),
        ("[a", "brackets [] not balanced"),
        ("*a", "quantifier operand invalid"),
        ("a**", "quantifier operand invalid"),
        ("^*", "quantifier operand invalid"),
        ("a{2,1}", "invalid repetition count(s)"),
        ("a{256}", "invalid repetition count(s)"),
        ("\\q", "invalid escape \\ sequence"),
        ("(a)\\2", "invalid backreference number"),
        ("[z-a]", "invalid character range"),
        ("[[:nope:]]", "invalid character class"),
        ("(?z)a", "invalid embedded option"),
        ("((a{255}){255}){255}", "regular expression is too complex"),
    ] {
        assert_eq!(reason(pattern), format!("invalid regular expression: {expected}"), "{pattern}");
    }
}

#[test]
fn an_interruption_ends_a_search() {
    let pattern = Pattern::compile("(a*)*b\\1", RegexOptions::DEFAULT).expect("a valid pattern");
    let text = "a".repeat(3_000);
    let interrupted = Search::new(&pattern, &text).find(0, &|| Err(SqlError::internal("enough")));
    assert!(interrupted.is_err());
}
