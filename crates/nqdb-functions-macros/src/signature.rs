//! What stands in the attribute's parentheses: the SQL signature and the options.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitInt, LitStr, Token, parenthesized};

/// The parsed attribute.
pub struct Options {
    pub signature: Signature,
    pub oid: u32,
    pub aliases: Vec<(String, u32)>,
    /// The variant of `Volatility`.
    pub volatility: Ident,
    pub strict: bool,
}

/// `name(args, out name type, ..) -> result`.
pub struct Signature {
    pub name: String,
    pub arguments: Vec<Argument>,
    /// `out name type`: the columns of the result.
    pub columns: Vec<(String, String)>,
    /// The last argument is `variadic`.
    pub variadic: bool,
    pub result: String,
    pub returns_set: bool,
}

/// One argument of the SQL function.
pub struct Argument {
    pub name: Option<String>,
    pub type_name: String,
    pub default: Option<String>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Options> {
        let text: LitStr = input.parse()?;
        let mut options = Options {
            signature: Signature::parse(&text.value()).map_err(|message| syn::Error::new(text.span(), message))?,
            oid: 0,
            aliases: Vec::new(),
            volatility: Ident::new("Immutable", Span::call_site()),
            strict: true,
        };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            options.parse_option(input)?;
        }
        if options.oid == 0 {
            return Err(syn::Error::new(text.span(), "an oid is missing: `oid = N`"));
        }
        Ok(options)
    }
}

impl Options {
    fn parse_option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let option: Ident = input.parse()?;
        match option.to_string().as_str() {
            "oid" => {
                input.parse::<Token![=]>()?;
                self.oid = input.parse::<LitInt>()?.base10_parse()?;
            }
            "stable" => self.volatility = Ident::new("Stable", option.span()),
            "volatile" => self.volatility = Ident::new("Volatile", option.span()),
            "called_on_null" => self.strict = false,
            "alias" => {
                let content;
                parenthesized!(content in input);
                let name: LitStr = content.parse()?;
                content.parse::<Token![,]>()?;
                let key: Ident = content.parse()?;
                if key != "oid" {
                    return Err(syn::Error::new(key.span(), "expected `oid = N`"));
                }
                content.parse::<Token![=]>()?;
                let oids = Punctuated::<LitInt, Token![,]>::parse_terminated(&content)?;
                let oid = oids.first().ok_or_else(|| content.error("expected a number"))?;
                self.aliases.push((name.value(), oid.base10_parse()?));
            }
            _ => return Err(syn::Error::new(option.span(), "unknown option")),
        }
        Ok(())
    }
}

impl Signature {
    /// Whether its rows have several columns, or ones that the caller names.
    pub fn returns_records(&self) -> bool {
        self.columns.len() > 1 || (self.result == "record" && self.columns.is_empty())
    }

    /// Parses `name(args) -> result`.
    fn parse(text: &str) -> Result<Signature, String> {
        let (name, rest) = text.split_once('(').ok_or("expected `name(arguments) -> type`")?;
        let (arguments, result) = rest.split_once(") -> ").ok_or("expected `) -> type`")?;
        let mut variadic = false;
        let mut parsed = Vec::new();
        let mut columns = Vec::new();
        for argument in arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty()) {
            if let Some(column) = argument.strip_prefix("out ") {
                let (name, type_name) = column.trim().split_once(' ').ok_or("expected `out name type`")?;
                columns.push((name.to_string(), type_name.trim().to_string()));
                continue;
            }
            let (argument, is_variadic) = match argument.strip_prefix("variadic ") {
                Some(argument) => (argument, true),
                None => (argument, false),
            };
            variadic |= is_variadic;
            parsed.push(Argument::parse(argument)?);
        }
        let (result, returns_set) = match result.strip_prefix("setof ") {
            Some(result) => (result, true),
            None => (result, false),
        };
        Ok(Signature {
            name: name.trim().to_string(),
            arguments: parsed,
            columns,
            variadic,
            result: result.trim().to_string(),
            returns_set,
        })
    }
}

impl Argument {
    fn parse(text: &str) -> Result<Argument, String> {
        let (declaration, default) = match text.split_once('=') {
            Some((declaration, default)) => (declaration.trim(), Some(default.trim().trim_matches('\'').to_string())),
            None => (text, None),
        };
        match declaration.split_whitespace().collect::<Vec<_>>().as_slice() {
            [type_name] => Ok(Argument { name: None, type_name: (*type_name).to_string(), default }),
            [name, type_name] => {
                Ok(Argument { name: Some((*name).to_string()), type_name: (*type_name).to_string(), default })
            }
            _ => Err(format!("expected `[name] type [= 'default']`, found `{text}`")),
        }
    }
}
