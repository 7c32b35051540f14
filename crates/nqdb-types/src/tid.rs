//! `tid`: where a row is (manual, 8.19). Text: `(block,offset)`.

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, SqlError, SqlResult};

/// A value of type `tid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid {
    pub block: u32,
    pub offset: u16,
}

impl std::fmt::Display for Tid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({},{})", self.block, self.offset)
    }
}

impl Tid {
    /// Reads `(block,offset)`. Errors: 22P02. A block below zero counts from the largest one backwards, as in PostgreSQL.
    pub fn parse(text: &str) -> SqlResult<Tid> {
        let invalid = || {
            let message = format!("invalid input syntax for type tid: \"{text}\"");
            SqlError::new(INVALID_TEXT_REPRESENTATION, message)
        };
        let inside = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside);
        let (block, offset) = inside.and_then(|inside| inside.split_once(',')).ok_or_else(invalid)?;
        let number: i64 = block.trim_start().parse().map_err(|_| invalid())?;
        let block = if number < 0 {
            i32::try_from(number).map_err(|_| invalid())?.cast_unsigned()
        } else {
            u32::try_from(number).map_err(|_| invalid())?
        };
        let offset = offset.trim_start().parse().map_err(|_| invalid())?;
        Ok(Tid { block, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::Tid;

    #[test]
    fn text_goes_both_ways() {
        for (text, shown) in [
            ("(0,1)", "(0,1)"),
            ("(4294967295,65535)", "(4294967295,65535)"),
            ("(-1,0)", "(4294967295,0)"),
            ("( 3, 4)", "(3,4)"),
        ] {
            assert_eq!(Tid::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", "(1)", "(1,2", "1,2", "(4294967296,1)", "(1,65536)", "(1,-1)", "(a,1)", "(-2147483649,1)"] {
            assert!(Tid::parse(text).is_err(), "{text}");
        }
        assert!(Tid { block: 1, offset: 9 } < Tid { block: 2, offset: 1 });
    }
}
