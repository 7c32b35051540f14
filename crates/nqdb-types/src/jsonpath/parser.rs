//! Tokens as a path: one function for each level of precedence.
//!
//! Conditions and values share their parentheses, so both are read by the same functions; who needs the one or the other
//! asks [`Parser::condition`] or [`Parser::value`], which refuse what is of the other kind.

use std::sync::Arc;

use nqdb_sqlstate::{INVALID_TEXT_REPRESENTATION, STATEMENT_TOO_COMPLEX, SYNTAX_ERROR, SqlError, SqlResult};

use super::lexer::{Kind, Lexer, Token};
use super::{ArithmeticOp, Chain, CompareOp, Item, JsonPath, Method, NESTING_MAX, RegexFlags};
use crate::Numeric;

pub(super) fn parse(text: &str) -> SqlResult<JsonPath> {
    let mut lexer = Lexer::new(text);
    let token = lexer.next()?;
    if token.kind == Kind::End {
        let message = format!("invalid input syntax for type jsonpath: \"{text}\"");
        return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, message));
    }
    let mut parser = Parser { lexer, token, depth: 0, filter_depth: 0, subscript_depth: 0 };
    let is_strict = parser.eat_word("strict")?;
    if !is_strict {
        parser.eat_word("lax")?;
    }
    let parsed = parser.either()?;
    if parser.token.kind != Kind::End {
        return Err(parser.unexpected());
    }
    Ok(JsonPath { is_lax: !is_strict, chain: parsed.chain })
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    depth: usize,
    filter_depth: usize,
    subscript_depth: usize,
}

/// An expression and how it stood.
struct Parsed {
    chain: Chain,
    /// In parentheses of its own, nothing applied to it.
    in_parentheses: bool,
}

impl Parsed {
    fn new(item: Item) -> Parsed {
        Parsed { chain: vec![item], in_parentheses: false }
    }

    /// Whether it is a condition: one to which an accessor is applied is a value.
    fn is_condition(&self) -> bool {
        matches!(self.chain.as_slice(), [only] if only.is_predicate())
    }
}

impl Parser<'_> {
    fn advance(&mut self) -> SqlResult<Token> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn unexpected(&self) -> SqlError {
        self.lexer.error("syntax error", &self.token)
    }

    fn eat(&mut self, mark: &'static str) -> SqlResult<bool> {
        if self.token.kind != Kind::Mark(mark) {
            return Ok(false);
        }
        self.advance()?;
        Ok(true)
    }

    fn expect(&mut self, mark: &'static str) -> SqlResult<()> {
        if self.eat(mark)? { Ok(()) } else { Err(self.unexpected()) }
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(&self.token.kind, Kind::Word(text) if is_keyword(text, word))
    }

    fn eat_word(&mut self, word: &str) -> SqlResult<bool> {
        if !self.at_word(word) {
            return Ok(false);
        }
        self.advance()?;
        Ok(true)
    }

    /// One level deeper; 54001 beyond the limit.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(SqlError::new(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
                .with_detail(format!("A jsonpath nests at most {NESTING_MAX} levels.")));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// A value or a condition.
    fn either(&mut self) -> SqlResult<Parsed> {
        self.nested(Self::or)
    }

    fn value(&mut self) -> SqlResult<Chain> {
        let parsed = self.either()?;
        if parsed.is_condition() { Err(self.unexpected()) } else { Ok(parsed.chain) }
    }

    fn condition(&mut self) -> SqlResult<Chain> {
        let parsed = self.either()?;
        if parsed.is_condition() { Ok(parsed.chain) } else { Err(self.unexpected()) }
    }

    fn must_be_condition(&self, parsed: Parsed) -> SqlResult<Chain> {
        if parsed.is_condition() { Ok(parsed.chain) } else { Err(self.unexpected()) }
    }

    fn must_be_value(&self, parsed: Parsed) -> SqlResult<Chain> {
        if parsed.is_condition() { Err(self.unexpected()) } else { Ok(parsed.chain) }
    }

    fn or(&mut self) -> SqlResult<Parsed> {
        let mut left = self.and()?;
        while self.token.kind == Kind::Mark("||") {
            let first = self.must_be_condition(left)?;
            self.advance()?;
            let second = self.and()?;
            left = Parsed::new(Item::Or(first, self.must_be_condition(second)?));
        }
        Ok(left)
    }

    fn and(&mut self) -> SqlResult<Parsed> {
        let mut left = self.comparison()?;
        while self.token.kind == Kind::Mark("&&") {
            let first = self.must_be_condition(left)?;
            self.advance()?;
            let second = self.comparison()?;
            left = Parsed::new(Item::And(first, self.must_be_condition(second)?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> SqlResult<Parsed> {
        if self.eat("!")? {
            let parsed = self.nested(Self::unary)?;
            let is_delimited = parsed.in_parentheses || matches!(parsed.chain.as_slice(), [Item::Exists(_)]);
            let chain = self.must_be_condition(parsed)?;
            return if is_delimited { Ok(Parsed::new(Item::Not(chain))) } else { Err(self.unexpected()) };
        }
        let left = self.sum()?;
        let op = match self.token.kind {
            Kind::Mark("==") => CompareOp::Equal,
            Kind::Mark("!=" | "<>") => CompareOp::NotEqual,
            Kind::Mark("<") => CompareOp::Less,
            Kind::Mark("<=") => CompareOp::LessOrEqual,
            Kind::Mark(">") => CompareOp::Greater,
            Kind::Mark(">=") => CompareOp::GreaterOrEqual,
            _ => return self.worded(left),
        };
        let left = self.must_be_value(left)?;
        self.advance()?;
        let right = self.sum()?;
        Ok(Parsed::new(Item::Compare(op, left, self.must_be_value(right)?)))
    }

    /// `is unknown`, `starts with`, `like_regex`, or nothing of that kind.
    fn worded(&mut self, left: Parsed) -> SqlResult<Parsed> {
        if self.at_word("is") {
            if !left.in_parentheses {
                return Err(self.unexpected());
            }
            let condition = self.must_be_condition(left)?;
            self.advance()?;
            if !self.eat_word("unknown")? {
                return Err(self.unexpected());
            }
            return Ok(Parsed::new(Item::IsUnknown(condition)));
        }
        if self.at_word("starts") {
            let value = self.must_be_value(left)?;
            self.advance()?;
            if !self.eat_word("with")? {
                return Err(self.unexpected());
            }
            let initial = match &self.token.kind {
                Kind::String(text) => Item::String(text.as_str().into()),
                Kind::Variable(name) => Item::Variable(name.as_str().into()),
                _ => return Err(self.unexpected()),
            };
            self.advance()?;
            return Ok(Parsed::new(Item::StartsWith(value, vec![initial])));
        }
        if self.at_word("like_regex") {
            let value = self.must_be_value(left)?;
            self.advance()?;
            let pattern = Arc::from(self.string()?);
            let flags = if self.eat_word("flag")? { regex_flags(&self.string()?)? } else { RegexFlags::default() };
            return Ok(Parsed::new(Item::LikeRegex { value, pattern, flags }));
        }
        Ok(left)
    }

    fn string(&mut self) -> SqlResult<String> {
        match &self.token.kind {
            Kind::String(_) => match self.advance()?.kind {
                Kind::String(text) => Ok(text),
                _ => Err(self.unexpected()),
            },
            _ => Err(self.unexpected()),
        }
    }

    fn sum(&mut self) -> SqlResult<Parsed> {
        let mut left = self.product()?;
        loop {
            let op = match self.token.kind {
                Kind::Mark("+") => ArithmeticOp::Add,
                Kind::Mark("-") => ArithmeticOp::Subtract,
                _ => return Ok(left),
            };
            let first = self.must_be_value(left)?;
            self.advance()?;
            let second = self.product()?;
            left = Parsed::new(Item::Arithmetic(op, first, self.must_be_value(second)?));
        }
    }

    fn product(&mut self) -> SqlResult<Parsed> {
        let mut left = self.unary()?;
        loop {
            let op = match self.token.kind {
                Kind::Mark("*") => ArithmeticOp::Multiply,
                Kind::Mark("/") => ArithmeticOp::Divide,
                Kind::Mark("%") => ArithmeticOp::Remainder,
                _ => return Ok(left),
            };
            let first = self.must_be_value(left)?;
            self.advance()?;
            let second = self.unary()?;
            left = Parsed::new(Item::Arithmetic(op, first, self.must_be_value(second)?));
        }
    }

    fn unary(&mut self) -> SqlResult<Parsed> {
        let is_minus = match self.token.kind {
            Kind::Mark("-") => true,
            Kind::Mark("+") => false,
            _ => return self.accessed(),
        };
        self.advance()?;
        let operand = self.nested(Self::unary)?;
        let operand = self.must_be_value(operand)?;
        // A number takes its sign in.
        Ok(match operand.as_slice() {
            [Item::Number(number)] => Parsed::new(Item::Number(if is_minus { number.neg() } else { number.clone() })),
            _ => Parsed::new(Item::Sign(is_minus, operand)),
        })
    }

    /// A primary and the accessors applied to it.
    fn accessed(&mut self) -> SqlResult<Parsed> {
        let mut parsed = self.primary()?;
        while let Some(accessor) = self.accessor()? {
            parsed.chain.push(accessor);
            parsed.in_parentheses = false;
        }
        Ok(parsed)
    }

    fn primary(&mut self) -> SqlResult<Parsed> {
        let item = match &self.token.kind {
            Kind::Mark("(") => {
                self.advance()?;
                let inner = self.either()?;
                self.expect(")")?;
                return Ok(Parsed { chain: inner.chain, in_parentheses: true });
            }
            Kind::Mark("$") => Item::Root,
            Kind::Mark("@") if self.filter_depth > 0 => Item::Current,
            Kind::Mark("@") => return Err(SqlError::new(SYNTAX_ERROR, "@ is not allowed in root expressions")),
            Kind::String(text) => Item::String(text.as_str().into()),
            Kind::Variable(name) => Item::Variable(name.as_str().into()),
            Kind::Integer(digits) | Kind::Decimal(digits) => Item::Number(Numeric::parse(digits)?),
            Kind::Word(word) if word == "null" => Item::Null,
            Kind::Word(word) if word == "true" => Item::Bool(true),
            Kind::Word(word) if word == "false" => Item::Bool(false),
            Kind::Word(word) if is_keyword(word, "last") => {
                if self.subscript_depth == 0 {
                    return Err(SqlError::new(SYNTAX_ERROR, "LAST is allowed only in array subscripts"));
                }
                Item::Last
            }
            Kind::Word(word) if is_keyword(word, "exists") => {
                self.advance()?;
                self.expect("(")?;
                let value = self.value()?;
                self.expect(")")?;
                return Ok(Parsed::new(Item::Exists(value)));
            }
            _ => return Err(self.unexpected()),
        };
        self.advance()?;
        Ok(Parsed::new(item))
    }

    fn accessor(&mut self) -> SqlResult<Option<Item>> {
        match self.token.kind {
            Kind::Mark(".") => {
                self.advance()?;
                self.member().map(Some)
            }
            Kind::Mark("[") => {
                self.advance()?;
                self.subscripts().map(Some)
            }
            Kind::Mark("?") => {
                self.advance()?;
                self.expect("(")?;
                self.filter_depth += 1;
                let condition = self.condition()?;
                self.filter_depth -= 1;
                self.expect(")")?;
                Ok(Some(Item::Filter(condition)))
            }
            _ => Ok(None),
        }
    }

    /// What stands behind a point.
    fn member(&mut self) -> SqlResult<Item> {
        if self.eat("*")? {
            return Ok(Item::AnyKey);
        }
        if self.eat("**")? {
            return self.levels();
        }
        let key = match self.advance()?.kind {
            Kind::String(key) => return Ok(Item::Key(key.into())),
            Kind::Word(word) => word,
            kind => {
                let token = Token { kind, start: self.token.start, end: self.token.end };
                return Err(self.lexer.error("syntax error", &token));
            }
        };
        if self.token.kind == Kind::Mark("(") {
            return self.method(&key);
        }
        Ok(Item::Key(key.into()))
    }

    fn method(&mut self, name: &str) -> SqlResult<Item> {
        const METHODS: [Method; 7] =
            [Method::Abs, Method::Ceiling, Method::Double, Method::Floor, Method::KeyValue, Method::Size, Method::Type];
        let item = if is_keyword(name, "datetime") {
            self.advance()?;
            match &self.token.kind {
                Kind::String(_) => Item::Datetime(Some(self.string()?.into())),
                _ => Item::Datetime(None),
            }
        } else {
            let method = METHODS.into_iter().find(|method| is_keyword(name, method.name()));
            let method = method.ok_or_else(|| self.unexpected())?;
            self.advance()?;
            Item::Method(method)
        };
        self.expect(")")?;
        Ok(item)
    }

    /// `{2}`, `{2 to last}` or nothing behind `**`.
    fn levels(&mut self) -> SqlResult<Item> {
        if !self.eat("{")? {
            return Ok(Item::AnyLevel { first: 0, last: u32::MAX });
        }
        let first = self.level()?;
        let last = if self.eat_word("to")? { self.level()? } else { first };
        self.expect("}")?;
        Ok(Item::AnyLevel { first, last })
    }

    fn level(&mut self) -> SqlResult<u32> {
        let level = match &self.token.kind {
            Kind::Integer(digits) => digits.parse::<i32>().map_err(|_| out_of_range(digits))?.unsigned_abs(),
            Kind::Word(word) if is_keyword(word, "last") => u32::MAX,
            _ => return Err(self.unexpected()),
        };
        self.advance()?;
        Ok(level)
    }

    fn subscripts(&mut self) -> SqlResult<Item> {
        if self.eat("*")? {
            self.expect("]")?;
            return Ok(Item::AnyElement);
        }
        self.subscript_depth += 1;
        let mut subscripts = Vec::new();
        loop {
            let from = self.value()?;
            let to = if self.eat_word("to")? { Some(self.value()?) } else { None };
            subscripts.push((from, to));
            if !self.eat(",")? {
                break;
            }
        }
        self.subscript_depth -= 1;
        self.expect("]")?;
        Ok(Item::Elements(subscripts))
    }
}

fn out_of_range(digits: &str) -> SqlError {
    SqlError::new(
        nqdb_sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("value \"{digits}\" is out of range for type integer"),
    )
}

/// Keywords have no case.
fn is_keyword(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

fn regex_flags(text: &str) -> SqlResult<RegexFlags> {
    let mut flags = RegexFlags::default();
    let mut is_expanded = false;
    for flag in text.chars() {
        match flag {
            'i' => flags.ignores_case = true,
            's' => flags.dot_matches_newline = true,
            'm' => flags.multi_line = true,
            'x' => is_expanded = true,
            'q' => flags.is_literal = true,
            _ => {
                let message = "invalid input syntax for type jsonpath";
                return Err(SqlError::new(SYNTAX_ERROR, message)
                    .with_detail(format!("Unrecognized flag character \"{flag}\" in LIKE_REGEX predicate.")));
            }
        }
    }
    if is_expanded && !flags.is_literal {
        let message = "XQuery \"x\" flag (expanded regular expressions) is not implemented";
        return Err(SqlError::new(nqdb_sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(flags)
}
