//! Unicode normalization forms (Unicode Standard Annex 15): `normalize`, `is_normalized`.

use nqdb_functions_macros::sql_function;
use nqdb_sqlstate::{INVALID_PARAMETER_VALUE, SqlError, SqlResult};
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

use super::{LEN_MAX, too_long};
use crate::{Function, FunctionContext};

pub(crate) static FUNCTIONS: &[&[Function]] = &[&NORMALIZE, &IS_NORMALIZED];

#[derive(Clone, Copy)]
enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
}

impl Form {
    fn named(name: &str) -> SqlResult<Form> {
        match name.to_ascii_uppercase().as_str() {
            "NFC" => Ok(Form::Nfc),
            "NFD" => Ok(Form::Nfd),
            "NFKC" => Ok(Form::Nfkc),
            "NFKD" => Ok(Form::Nfkd),
            _ => Err(SqlError::new(INVALID_PARAMETER_VALUE, format!("invalid normalization form: {name}"))),
        }
    }

    fn is_form_of(self, text: &str) -> bool {
        match self {
            Form::Nfc => is_nfc(text),
            Form::Nfd => is_nfd(text),
            Form::Nfkc => is_nfkc(text),
            Form::Nfkd => is_nfkd(text),
        }
    }

    fn characters(self, text: &str) -> Box<dyn Iterator<Item = char> + '_> {
        match self {
            Form::Nfc => Box::new(text.nfc()),
            Form::Nfd => Box::new(text.nfd()),
            Form::Nfkc => Box::new(text.nfkc()),
            Form::Nfkd => Box::new(text.nfkd()),
        }
    }
}

/// A decomposed text may be several times as long, so its length is counted before it is made.
#[sql_function("normalize(text, text = 'NFC') -> text", oid = 4350)]
fn normalize(context: &mut FunctionContext<'_>, text: &str, form: &str) -> SqlResult<String> {
    let form = Form::named(form)?;
    if form.is_form_of(text) {
        return Ok(text.to_string());
    }
    let len = form.characters(text).map(char::len_utf8).sum();
    if len > LEN_MAX {
        return Err(too_long());
    }
    context.admit_bytes(len)?;
    Ok(form.characters(text).collect())
}

#[sql_function("is_normalized(text, text = 'NFC') -> bool", oid = 4351)]
fn is_normalized(text: &str, form: &str) -> SqlResult<bool> {
    Ok(Form::named(form)?.is_form_of(text))
}
