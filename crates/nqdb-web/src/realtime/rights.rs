//! Who may read and write which channel over HTTP: by the role, by rules of the configuration, and by the client's own token.
//!
//! Without a rule for a channel every role of the database may read and write it, as it may LISTEN and NOTIFY by SQL. The first
//! rule whose pattern matches decides. A token can only narrow that. Changes of a table (`table:`) ask for the role's SELECT
//! privilege beside that.

use nqdb_session::{Admission, CHANGE_CHANNEL_PREFIX, Instance};

/// A rule of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRule {
    /// A channel's name, or the beginning of names with a final `*`.
    pub channels: String,
    /// Roles whose members may subscribe.
    pub read: Vec<String>,
    /// Roles whose members may publish.
    pub write: Vec<String>,
}

/// What somebody wants of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Read,
    Write,
}

/// What a token leaves of what the role may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    pub read: Option<Vec<String>>,
    pub write: Option<Vec<String>>,
}

/// Whether all channels that `name` stands for are among those that `pattern` stands for.
fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.trim_end_matches('*').starts_with(prefix),
        None => pattern == name,
    }
}

/// Whether some channel is meant by both.
fn overlaps(pattern: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => covers(pattern, name) || pattern.trim_end_matches('*').starts_with(prefix),
        None => covers(pattern, name),
    }
}

/// Whether a client may do something with a channel, or with all that a pattern matches.
pub fn may(
    instance: &Instance,
    rules: &[ChannelRule],
    who: &Admission,
    narrowing: &Narrowing,
    channel: &str,
    wish: Wish,
) -> bool {
    let (allowed, is_pattern) = match wish {
        Wish::Read => (&narrowing.read, channel.ends_with('*')),
        Wish::Write => (&narrowing.write, false),
    };
    if channel.starts_with(CHANGE_CHANNEL_PREFIX) {
        // Nobody but the server speaks there, and patterns do not match what it says.
        let is_open = wish == Wish::Read && !is_pattern;
        if !is_open || instance.expect_may_follow(who, channel).is_err() {
            return false;
        }
    }
    if allowed.as_ref().is_some_and(|allowed| !allowed.iter().any(|pattern| covers(pattern, channel))) {
        return false;
    }
    let of_rule = |rule: &ChannelRule| {
        let roles = if wish == Wish::Read { &rule.read } else { &rule.write };
        roles.iter().any(|role| instance.is_member(who.role, role))
    };
    if is_pattern {
        // Every rule for some of what the pattern matches has to agree.
        return rules.iter().filter(|rule| overlaps(&rule.channels, channel)).all(of_rule);
    }
    rules.iter().find(|rule| covers(&rule.channels, channel)).is_none_or(of_rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_names_and_narrower_patterns() {
        assert!(covers("orders.*", "orders.eu") && covers("orders.*", "orders.e*") && covers("*", "x"));
        assert!(!covers("orders.*", "order") && !covers("orders.*", "ord*") && !covers("a", "ab"));
        assert!(overlaps("orders.*", "ord*") && overlaps("secret", "s*") && overlaps("*", "a*"));
        assert!(!overlaps("secret", "a*") && !overlaps("secret", "public"));
    }
}
