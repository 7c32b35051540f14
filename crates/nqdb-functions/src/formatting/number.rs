//! `to_char` of numbers and `to_number`.
//!
//! A template is digits (`9`, `0`), a point (`.`, `D`), groups (`,`, `G`), signs (`S`, `MI`, `PL`, `SG`, `PR`),
//! `L`, `TH`, `V`, `RN`, `EEEE` (see `number_scientific`) and literal text.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{FEATURE_NOT_SUPPORTED, INVALID_TEXT_REPRESENTATION, SYNTAX_ERROR, SqlError, SqlResult};
use nqdb_types::{Numeric, Type};

use super::date_output::ordinal_suffix;
use super::number_scientific;
use crate::Function;

pub(crate) static FUNCTIONS: &[&[Function]] =
    &[&FROM_INT4, &FROM_INT8, &FROM_FLOAT4, &FROM_FLOAT8, &FROM_NUMERIC, &TO_NUMBER];

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Nine,
    Zero,
    Point,
    Group,
    Sign,
    Minus,
    Plus,
    SignAlways,
    Brackets,
    Currency,
    Ordinal { upper: bool },
    Shift,
    Literal(char),
}

struct Template {
    pieces: Vec<Piece>,
    fill: bool,
    is_roman: bool,
    is_scientific: bool,
}

fn syntax_error(message: &str) -> SqlError {
    SqlError::new(SYNTAX_ERROR, message)
}

impl Template {
    fn parse(text: &str) -> SqlResult<Template> {
        const WORDS: &[(&str, Option<Piece>)] = &[
            ("FM", None),
            ("MI", Some(Piece::Minus)),
            ("PL", Some(Piece::Plus)),
            ("PR", Some(Piece::Brackets)),
            ("SG", Some(Piece::SignAlways)),
            (",", Some(Piece::Group)),
            (".", Some(Piece::Point)),
            ("0", Some(Piece::Zero)),
            ("9", Some(Piece::Nine)),
            ("D", Some(Piece::Point)),
            ("G", Some(Piece::Group)),
            ("L", Some(Piece::Currency)),
            ("S", Some(Piece::Sign)),
            ("V", Some(Piece::Shift)),
        ];
        let mut template = Template { pieces: Vec::new(), fill: false, is_roman: false, is_scientific: false };
        let mut rest = text;
        while !rest.is_empty() {
            let head = |len: usize| rest.get(..len).unwrap_or("");
            if head(4).eq_ignore_ascii_case("EEEE") {
                template.make_scientific()?;
                rest = rest.get(4..).unwrap_or("");
                continue;
            }
            let is_word = head(2).eq_ignore_ascii_case("RN")
                || head(2).eq_ignore_ascii_case("TH")
                || WORDS.iter().any(|(word, _)| head(word.len()).eq_ignore_ascii_case(word));
            if template.is_scientific && is_word {
                return Err(syntax_error("\"EEEE\" must be the last pattern used"));
            }
            if head(2).eq_ignore_ascii_case("RN") {
                template.is_roman = true;
                rest = rest.get(2..).unwrap_or("");
                continue;
            }
            if head(2).eq_ignore_ascii_case("TH") {
                template.pieces.push(Piece::Ordinal { upper: rest.starts_with('T') });
                rest = rest.get(2..).unwrap_or("");
                continue;
            }
            if let Some((word, piece)) = WORDS.iter().find(|(word, _)| head(word.len()).eq_ignore_ascii_case(word)) {
                match piece {
                    Some(piece) => template.pieces.push(*piece),
                    None => template.fill = true,
                }
                rest = rest.get(word.len()..).unwrap_or("");
                continue;
            }
            rest = template.literal(rest);
        }
        template.check()?;
        Ok(template)
    }

    fn make_scientific(&mut self) -> SqlResult<()> {
        if self.is_scientific {
            return Err(syntax_error("cannot use \"EEEE\" twice"));
        }
        let goes_with = |piece: &Piece| {
            matches!(piece, Piece::Nine | Piece::Zero | Piece::Point | Piece::Group | Piece::Literal(_))
        };
        if self.fill || self.is_roman || !self.pieces.iter().all(goes_with) {
            return Err(syntax_error("\"EEEE\" is incompatible with other formats")
                .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
        }
        self.is_scientific = true;
        Ok(())
    }

    fn literal<'a>(&mut self, rest: &'a str) -> &'a str {
        let mut characters = rest.chars();
        match characters.next() {
            Some('"') => {
                while let Some(character) = characters.next() {
                    match character {
                        '"' => break,
                        '\\' => self.pieces.extend(characters.next().map(Piece::Literal)),
                        _ => self.pieces.push(Piece::Literal(character)),
                    }
                }
            }
            Some(character) => self.pieces.push(Piece::Literal(character)),
            None => {}
        }
        characters.as_str()
    }

    fn count(&self, wanted: impl Fn(Piece) -> bool) -> usize {
        self.pieces.iter().filter(|piece| wanted(**piece)).count()
    }

    fn check(&self) -> SqlResult<()> {
        if self.count(|piece| piece == Piece::Point) > 1 {
            return Err(syntax_error("multiple decimal points"));
        }
        if self.count(|piece| piece == Piece::Point) > 0 && self.count(|piece| piece == Piece::Shift) > 0 {
            return Err(syntax_error("cannot use \"V\" and decimal point together"));
        }
        if self.count(|piece| piece == Piece::Sign) > 1 {
            return Err(syntax_error("cannot use \"S\" twice"));
        }
        let others =
            self.count(|piece| matches!(piece, Piece::Minus | Piece::Plus | Piece::SignAlways | Piece::Brackets));
        if self.count(|piece| piece == Piece::Sign) > 0 && others > 0 {
            return Err(syntax_error("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
        }
        Ok(())
    }

    /// Digits before the point, and after the point or `V`.
    fn digit_counts(&self) -> (usize, usize) {
        let is_digit = |piece: &&Piece| matches!(piece, Piece::Nine | Piece::Zero);
        let split = self.pieces.iter().position(|piece| matches!(piece, Piece::Point | Piece::Shift));
        let (before, after) = self.pieces.split_at(split.unwrap_or(self.pieces.len()));
        (before.iter().filter(is_digit).count(), after.iter().filter(is_digit).count())
    }
}

/// The number in capitals of Rome; 1 to 3999, otherwise `#`.
fn roman(number: i32, fill: bool) -> String {
    const LETTERS: [(i32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    const WIDTH: usize = 15;
    if !(1..=3999).contains(&number) {
        return "#".repeat(WIDTH);
    }
    let mut rest = number;
    let mut letters = String::new();
    for (worth, letter) in LETTERS {
        while rest >= worth {
            letters.push_str(letter);
            rest -= worth;
        }
    }
    if fill { letters } else { format!("{letters:>WIDTH$}") }
}

/// A number's digits, rounded to what a template shows.
struct Digits {
    is_negative: bool,
    /// `NaN` and `Infinity` stand here as well.
    integer: String,
    fraction: String,
}

impl Digits {
    fn of(text: &str) -> Digits {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        Digits { is_negative, integer: integer.to_string(), fraction: fraction.to_string() }
    }
}

fn write(template: &Template, digits: &Digits) -> SqlResult<String> {
    let (mut before, mut after) = template.digit_counts();
    if template.pieces.contains(&Piece::Shift) {
        (before, after) = (before + after, 0);
    }
    let is_special = digits.integer.starts_with(['N', 'I']);
    // The zero before the point is left out where the template has places behind it.
    let integer = if digits.integer == "0" && before > 0 && after > 0 { "" } else { &digits.integer };
    let overflows = integer.len() > before;
    if is_special && !overflows && template.count(|piece| matches!(piece, Piece::Ordinal { .. })) > 0 {
        return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, format!("\"{integer}\" is not a number")));
    }
    let writer = Writer {
        template,
        is_negative: digits.is_negative,
        integer,
        fraction: &digits.fraction,
        before,
        overflows,
        is_special,
    };
    Ok(writer.write())
}

fn to_char(value: &Numeric, text: &str) -> SqlResult<String> {
    let template = Template::parse(text)?;
    if template.is_roman {
        return Ok(roman(value.round(0)?.to_i32()?, template.fill));
    }
    let (before, after) = template.digit_counts();
    if template.is_scientific {
        return Ok(number_scientific::of_numeric(value, before, after));
    }
    let shown = if template.pieces.contains(&Piece::Shift) {
        value.mul(&Numeric::from(10i64).power(&Numeric::from(after as i64))?)?.round(0)?
    } else {
        value.round(after as i32)?
    };
    let mut digits = Digits::of(&shown.to_string());
    if !value.is_finite() {
        digits.fraction = "#".repeat(after);
    }
    write(&template, &digits)
}

/// As `to_char`, with C's rounding and no more digits than the float type has.
fn float_to_char(value: f64, digits_max: usize, text: &str) -> SqlResult<String> {
    let template = Template::parse(text)?;
    if template.is_roman {
        return Ok(roman(value.round_ties_even() as i32, template.fill));
    }
    let (before, after) = template.digit_counts();
    if template.is_scientific {
        return Ok(number_scientific::of_float(value, before, after));
    }
    if !value.is_finite() {
        let integer = if value.is_nan() { "NaN" } else { "Infinity" }.to_string();
        let kept = digits_max.saturating_sub(integer.len()).min(after);
        return write(&template, &Digits { is_negative: value < 0.0, integer, fraction: "#".repeat(kept) });
    }
    if template.pieces.contains(&Piece::Shift) {
        let shifted = value * 10f64.powi(after as i32);
        if shifted.is_finite() {
            return write(&template, &Digits::of(&format!("{shifted:.0}")));
        }
        let integer = "Infinity".to_string();
        return write(&template, &Digits { is_negative: value < 0.0, integer, fraction: String::new() });
    }
    let integer_digits = format!("{:.0}", value.abs()).len();
    let kept = digits_max.saturating_sub(integer_digits).min(after);
    write(&template, &Digits::of(&format!("{value:.kept$}")))
}

/// Writes one number by one template.
struct Writer<'a> {
    template: &'a Template,
    is_negative: bool,
    integer: &'a str,
    fraction: &'a str,
    before: usize,
    overflows: bool,
    /// NaN or an infinity that fits: nothing follows it behind the point.
    is_special: bool,
}

impl Writer<'_> {
    fn write(&self) -> String {
        let mut out = String::new();
        let has_own_sign = self.template.count(|piece| {
            matches!(piece, Piece::Sign | Piece::Minus | Piece::Plus | Piece::SignAlways | Piece::Brackets)
        }) > 0;
        let sign_piece = if has_own_sign { None } else { Some(if self.is_negative { "-" } else { " " }) };
        let blank_for_sign =
            |text: &str| if self.template.fill && text == " " { String::new() } else { text.to_string() };
        let first_zero = self.first_zero();
        let mut position = 0;
        let mut in_fraction = false;
        let mut sign_written = sign_piece.is_none() && !self.leading_sign();
        let leading = self.sign_text(sign_piece);
        for piece in &self.template.pieces {
            match piece {
                Piece::Nine | Piece::Zero if !in_fraction => {
                    let digit = self.integer_digit(position, first_zero);
                    position += 1;
                    match digit {
                        Some(digit) => {
                            if !sign_written {
                                out.push_str(&blank_for_sign(&leading));
                                sign_written = true;
                            }
                            out.push(digit);
                        }
                        None if self.template.fill => {}
                        None => out.push(' '),
                    }
                }
                Piece::Nine | Piece::Zero => self.fraction_digit(&mut position, *piece, &mut out),
                Piece::Point if self.is_special && !self.overflows => break,
                // Without digits behind it there is no point, and nothing follows the number.
                Piece::Point if self.fraction.is_empty() && !self.overflows => break,
                Piece::Point => {
                    if !sign_written {
                        out.push_str(&blank_for_sign(&leading));
                        sign_written = true;
                    }
                    out.push('.');
                    in_fraction = true;
                    position = 0;
                }
                Piece::Group => {
                    let started = self.integer_digit(position.wrapping_sub(1), first_zero).is_some() && position > 0;
                    if started {
                        out.push(',');
                    } else if !self.template.fill {
                        out.push(' ');
                    }
                }
                Piece::Shift => {}
                Piece::Minus => out.push_str(&blank_for_sign(if self.is_negative { "-" } else { " " })),
                Piece::Plus => out.push_str(&blank_for_sign(if self.is_negative { " " } else { "+" })),
                Piece::SignAlways => out.push(if self.is_negative { '-' } else { '+' }),
                Piece::Sign if !self.leading_sign() => out.push(if self.is_negative { '-' } else { '+' }),
                Piece::Sign => {}
                Piece::Brackets => out.push_str(&blank_for_sign(if self.is_negative { ">" } else { " " })),
                Piece::Currency => out.push_str(if self.template.fill { "" } else { " " }),
                Piece::Ordinal { upper } => {
                    if !self.is_negative && self.fraction.is_empty() && !self.overflows {
                        let suffix = ordinal_suffix(if self.integer.is_empty() { "0" } else { self.integer });
                        out.push_str(&if *upper { suffix.to_uppercase() } else { suffix.to_string() });
                    }
                }
                Piece::Literal(literal) => out.push(*literal),
            }
        }
        out
    }

    /// Whether `S` stands before the digits (or `PR` brackets them).
    fn leading_sign(&self) -> bool {
        let first_digit = self.template.pieces.iter().position(|piece| matches!(piece, Piece::Nine | Piece::Zero));
        let sign = self.template.pieces.iter().position(|piece| matches!(piece, Piece::Sign));
        self.template.pieces.contains(&Piece::Brackets) || sign.is_some_and(|sign| Some(sign) < first_digit)
    }

    fn sign_text(&self, implicit: Option<&str>) -> String {
        match implicit {
            Some(sign) => sign.to_string(),
            None if self.template.pieces.contains(&Piece::Brackets) => {
                if self.is_negative {
                    "<".into()
                } else {
                    " ".into()
                }
            }
            None => (if self.is_negative { "-" } else { "+" }).into(),
        }
    }

    /// Index of the first integer digit that shows a zero where the number has no digit.
    fn first_zero(&self) -> usize {
        let digits = self.template.pieces.iter().take_while(|piece| **piece != Piece::Point);
        let digits = digits.filter(|piece| matches!(piece, Piece::Nine | Piece::Zero));
        digits.into_iter().position(|piece| *piece == Piece::Zero).unwrap_or(self.before)
    }

    fn integer_digit(&self, position: usize, first_zero: usize) -> Option<char> {
        if self.overflows {
            return Some('#');
        }
        let missing = self.before.saturating_sub(self.integer.len());
        if position >= missing && position < self.before {
            return self.integer.as_bytes().get(position - missing).map(|digit| char::from(*digit));
        }
        (position >= first_zero && position < self.before).then_some('0')
    }

    fn fraction_digit(&self, position: &mut usize, piece: Piece, out: &mut String) {
        if self.overflows {
            out.push_str(if *position < self.fraction.len() { "#" } else { "" });
            *position += 1;
            return;
        }
        let digits = self.fraction.as_bytes();
        let significant = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        let last_zero_piece = self.last_zero_of_fraction();
        let is_shown = !self.template.fill || *position < significant.max(last_zero_piece) || piece == Piece::Zero;
        if let Some(digit) = digits.get(*position).filter(|_| is_shown) {
            out.push(char::from(*digit));
        }
        *position += 1;
    }

    /// How many fraction digits the last `0` of the template asks for.
    fn last_zero_of_fraction(&self) -> usize {
        let fraction = self.template.pieces.iter().skip_while(|piece| **piece != Piece::Point);
        let digits: Vec<_> = fraction.filter(|piece| matches!(piece, Piece::Nine | Piece::Zero)).collect();
        digits.iter().rposition(|piece| **piece == Piece::Zero).map_or(0, |last| last + 1)
    }
}

#[sql_function("to_char(int4, text) -> text", oid = 1773, stable)]
fn from_int4(value: i32, template: &str) -> SqlResult<String> {
    // With an exponent PostgreSQL rounds it as a float.
    if Template::parse(template)?.is_scientific {
        return float_to_char(value.into(), f64::DIGITS as usize, template);
    }
    to_char(&Numeric::from(value), template)
}

#[sql_function("to_char(int8, text) -> text", oid = 1774, stable)]
fn from_int8(value: i64, template: &str) -> SqlResult<String> {
    to_char(&Numeric::from(value), template)
}

#[sql_function("to_char(float4, text) -> text", oid = 1775, stable)]
fn from_float4(value: f32, template: &str) -> SqlResult<String> {
    float_to_char(value.into(), 6, template)
}

#[sql_function("to_char(float8, text) -> text", oid = 1776, stable)]
fn from_float8(value: f64, template: &str) -> SqlResult<String> {
    float_to_char(value, 15, template)
}

#[sql_function("to_char(numeric, text) -> text", oid = 1772, stable)]
fn from_numeric(value: &Numeric, template: &str) -> SqlResult<String> {
    to_char(value, template)
}

/// Reads the text place by place as the template goes along.
#[sql_function("to_number(text, text) -> numeric", oid = 1777, stable)]
fn to_number(text: &str, template: &str) -> SqlResult<Option<Numeric>> {
    if template.is_empty() {
        return Ok(None);
    }
    let template = Template::parse(template)?;
    if template.is_scientific {
        return Err(SqlError::new(FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if template.is_roman || template.pieces.contains(&Piece::Shift) {
        return Err(SqlError::unsupported("RN or V in a template for reading numbers"));
    }
    let (before, after) = template.digit_counts();
    let mut reader = Reader {
        rest: text,
        digits: String::new(),
        is_negative: false,
        after,
        in_fraction: 0,
        has_point: template.pieces.contains(&Piece::Point),
        has_brackets: template.pieces.contains(&Piece::Brackets),
    };
    for piece in &template.pieces {
        if reader.rest.is_empty() {
            break;
        }
        reader.piece(*piece);
    }
    if !reader.digits.contains(|character: char| character.is_ascii_digit()) {
        let sign = if reader.is_negative { "-" } else { " " };
        let message = format!("invalid input syntax for type numeric: \"{sign}\"");
        return Err(SqlError::new(INVALID_TEXT_REPRESENTATION, message));
    }
    let value = Numeric::parse(reader.digits.trim_end_matches('.'))?;
    let signed = if reader.is_negative { value.neg() } else { value };
    let fitted = signed.apply_typmod(Type::numeric((before + after) as i32, after as i32))?;
    // The template bounds the number; it does not give it zeros.
    let shown = fitted.scale().min(signed.scale()).map_or(0, i32::from);
    fitted.round(shown).map(Some)
}

struct Reader<'a> {
    rest: &'a str,
    digits: String,
    is_negative: bool,
    /// Places behind the point.
    after: usize,
    /// Digits read behind the point, and the point itself.
    in_fraction: usize,
    /// The template has a point: only then the text's is one.
    has_point: bool,
    /// The template has `PR`: only then `<` is a sign.
    has_brackets: bool,
}

impl Reader<'_> {
    fn skip(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let first = characters.next();
        self.rest = characters.as_str();
        first
    }

    fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Nine | Piece::Zero | Piece::Point => self.place(),
            Piece::Group => self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest),
            Piece::Sign | Piece::Minus | Piece::SignAlways if !self.digits.is_empty() => {
                self.is_negative |= self.skip() == Some('-');
            }
            Piece::Minus | Piece::SignAlways if self.rest.starts_with(['-', '+']) => {
                self.is_negative = self.skip() == Some('-');
            }
            Piece::Currency if !self.rest.starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first)) => {
                self.skip();
            }
            Piece::Literal(_) => {
                self.skip();
            }
            _ => {}
        }
    }

    /// A place for a digit, where a sign may come first and a point is taken as well; anything else takes the place.
    fn place(&mut self) {
        self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        let is_sign = |first: char| matches!(first, '-' | '+') || first == '<' && self.has_brackets;
        if self.digits.is_empty() && !self.is_negative && self.rest.starts_with(is_sign) {
            self.is_negative = self.skip() != Some('+');
        }
        match self.skip() {
            Some(digit @ '0'..='9') if self.in_fraction == 0 => self.digits.push(digit),
            Some(digit @ '0'..='9') if self.in_fraction <= self.after => {
                self.in_fraction += 1;
                self.digits.push(digit);
            }
            Some('.') if self.in_fraction == 0 && self.has_point => {
                self.in_fraction = 1;
                self.digits.push('.');
            }
            _ => {}
        }
    }
}
