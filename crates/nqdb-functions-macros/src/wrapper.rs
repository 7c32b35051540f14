//! The generated code: the row-at-a-time form of a typed function and its entries for the registry.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{FnArg, GenericArgument, Ident, ItemFn, PathArguments, ReturnType, Type};

use crate::signature::{Options, Signature};

/// The function itself, followed by its table of `Function`s.
pub fn expand(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    let signature = &options.signature;
    let table = Ident::new(&function.sig.ident.to_string().to_uppercase(), function.sig.ident.span());
    let body = wrapper_body(options, function)?;
    let (implementation, eval, rows, records) = if signature.returns_records() {
        let wrapper = quote! {
            fn records(
                context: &mut crate::FunctionContext<'_>,
                arguments: &[nqdb_types::Datum],
            ) -> nqdb_sqlstate::SqlResult<crate::Records> { #body }
        };
        (wrapper, quote!(crate::definition::refuse_set_as_scalar), quote!(None), quote!(Some(records)))
    } else if signature.returns_set {
        let wrapper = quote! {
            fn rows(
                context: &mut crate::FunctionContext<'_>,
                arguments: &[nqdb_types::Datum],
            ) -> nqdb_sqlstate::SqlResult<crate::Rows> { #body }
        };
        (wrapper, quote!(crate::definition::refuse_set_as_scalar), quote!(Some(rows)), quote!(None))
    } else {
        let wrapper = quote! {
            fn eval(
                context: &mut crate::FunctionContext<'_>,
                arguments: &[nqdb_types::Datum],
            ) -> nqdb_sqlstate::SqlResult<nqdb_types::Datum> { #body }
        };
        (wrapper, quote!(eval), quote!(None), quote!(None))
    };
    let argument_oids = signature.arguments.iter().map(|argument| type_constant(&argument.type_name));
    let argument_oids = quote!(&[#(#argument_oids),*]);
    let names: Vec<_> = signature.arguments.iter().filter_map(|argument| argument.name.as_deref()).collect();
    let defaults: Vec<_> = signature.arguments.iter().filter_map(|argument| argument.default.as_deref()).collect();
    let (variadic, returns_set, strict) = (signature.variadic, signature.returns_set, options.strict);
    let columns = signature.columns.iter().map(|(name, type_name)| {
        let type_oid = type_constant(type_name);
        quote!(crate::OutColumn { name: #name, type_oid: #type_oid })
    });
    let columns = quote!(&[#(#columns),*]);
    let returns = type_constant(&signature.result);
    let volatility = &options.volatility;
    let main = std::iter::once((signature.name.clone(), options.oid));
    let entries = main.chain(options.aliases.iter().cloned()).map(|(name, oid)| {
        quote! {
            crate::Function {
                oid: #oid,
                name: #name,
                args: #argument_oids,
                arg_names: &[#(#names),*],
                defaults: &[#(#defaults),*],
                variadic: #variadic,
                returns: #returns,
                strict: #strict,
                volatility: crate::Volatility::#volatility,
                set_returning: #returns_set,
                columns: #columns,
                eval: #eval,
                rows: #rows,
                records: #records,
            }
        }
    });
    let count = options.aliases.len() + 1;
    Ok(quote! {
        #function

        pub(crate) static #table: [crate::Function; #count] = {
            #implementation
            [#(#entries),*]
        };
    })
}

/// Takes the arguments apart, calls the function, wraps its result.
fn wrapper_body(options: &Options, function: &ItemFn) -> syn::Result<TokenStream> {
    let signature = &options.signature;
    let mut parameters: Vec<&Type> = function
        .sig
        .inputs
        .iter()
        .map(|input| match input {
            FnArg::Typed(typed) => Ok(&*typed.ty),
            FnArg::Receiver(receiver) => Err(syn::Error::new_spanned(receiver, "a SQL function has no self")),
        })
        .collect::<syn::Result<_>>()?;
    let takes_context = parameters.first().is_some_and(|parameter| mentions_context(parameter));
    let context = if takes_context {
        parameters.remove(0);
        quote!(context,)
    } else {
        quote!()
    };
    let unused_context = if takes_context { quote!() } else { quote!(let _ = context;) };
    let name = &function.sig.ident;

    let takes_all = matches!(parameters.as_slice(), [parameter] if is_slice_of_datums(parameter));
    let (prepare, values) = if takes_all {
        let null = null_result(signature);
        let check = options.strict.then(|| {
            quote!(if arguments.iter().any(nqdb_types::Datum::is_null) {
                return Ok(#null);
            })
        });
        (quote!(#check), quote!(arguments))
    } else {
        if parameters.len() != signature.arguments.len() {
            return Err(syn::Error::new_spanned(
                &function.sig,
                "the two signatures differ in their number of arguments",
            ));
        }
        take_apart(options, &parameters)
    };
    let call = quote!(#name(#context #values));
    let wrapped = wrap_result(signature, &function.sig.output, call);
    Ok(quote!(#unused_context #prepare #wrapped))
}

fn take_apart(options: &Options, parameters: &[&Type]) -> (TokenStream, TokenStream) {
    let signature = &options.signature;
    let names: Vec<Ident> = (0..parameters.len()).map(|index| format_ident!("argument_{index}")).collect();
    let sql_name = &signature.name;
    let split = quote! {
        let [#(#names),*] = arguments else { return Err(crate::argument::wrong_count(#sql_name)) };
    };
    let null = null_result(signature);
    let check = (options.strict && !names.is_empty()).then(|| quote!(if #(#names.is_null())||* { return Ok(#null); }));
    let values = signature.arguments.iter().zip(parameters).zip(&names).map(|((argument, parameter), name)| {
        let reader = Ident::new(representation(&argument.type_name), Span::call_site());
        if last_segment(parameter).is_some_and(|segment| segment.ident == "Option") {
            quote!(if #name.is_null() { None } else { Some(crate::argument::#reader(#name)?) })
        } else {
            quote!(crate::argument::#reader(#name)?)
        }
    });
    let values = quote!(#(#values),*);
    (quote!(#split #check), values)
}

/// What a strict function answers to a NULL: NULL, no rows, or one row of NULLs.
fn null_result(signature: &Signature) -> TokenStream {
    if signature.returns_set {
        quote!(Box::new(std::iter::empty()))
    } else if signature.returns_records() {
        let width = signature.columns.len();
        quote!(Box::new(std::iter::once(Ok(vec![nqdb_types::Datum::Null; #width]))))
    } else {
        quote!(nqdb_types::Datum::Null)
    }
}

/// Turns what the function returns into what the wrapper returns.
fn wrap_result(signature: &Signature, output: &ReturnType, call: TokenStream) -> TokenStream {
    if signature.returns_set {
        return call;
    }
    if signature.returns_records() {
        return quote!(Ok(Box::new(std::iter::once(#call))));
    }
    let mut value = call;
    let mut returned = match output {
        ReturnType::Default => {
            return quote!({ #value; Ok(nqdb_types::Datum::text("")) });
        }
        ReturnType::Type(_, returned) => without_group(returned),
    };
    if let Some(inner) = argument_of(returned, "SqlResult") {
        if is_datum(inner) {
            return value;
        }
        value = quote!(#value?);
        returned = inner;
    }
    let optional = argument_of(returned, "Option");
    let inner = optional.unwrap_or(returned);
    if matches!(inner, Type::Tuple(_)) {
        return quote!({ #value; Ok(nqdb_types::Datum::text("")) });
    }
    if is_datum(inner) {
        return quote!(Ok(#value));
    }
    let writer = format_ident!("{}_result", representation(&signature.result));
    if optional.is_some() {
        quote!(Ok(match #value { Some(value) => crate::argument::#writer(value), None => nqdb_types::Datum::Null }))
    } else {
        quote!(Ok(crate::argument::#writer(#value)))
    }
}

fn is_datum(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Datum")
}

/// The reader in `crate::argument` for a type: types with one representation share it.
fn representation(type_name: &str) -> &str {
    match type_name {
        "text" | "varchar" | "bpchar" | "name" | "char" | "unknown" | "cstring" | "json" | "pg_node_tree"
        | "aclitem" => "text",
        "oid" | "xid" | "cid" => "oid",
        "bit" | "varbit" => "bits",
        "xid8" | "pg_lsn" => "unsigned8",
        "pg_snapshot" | "txid_snapshot" => "snapshot",
        "regclass" | "regtype" | "regproc" | "regprocedure" | "regoper" | "regoperator" | "regnamespace"
        | "regrole" | "regcollation" => "oid",
        "any" | "anyelement" | "anynonarray" | "anyenum" | "anycompatible" | "anycompatiblenonarray" => "datum",
        "anyarray" | "anycompatiblearray" | "int2vector" | "oidvector" => "array",
        other if other.ends_with("_array") => "array",
        other => other,
    }
}

/// The path of the constant that holds a type's OID.
fn type_constant(type_name: &str) -> TokenStream {
    let constant = match type_name {
        "char" => "CHAR_INTERNAL".to_string(),
        other => other.to_uppercase(),
    };
    let constant = Ident::new(&constant, Span::call_site());
    quote!(nqdb_types::oid::#constant)
}

fn mentions_context(parameter: &Type) -> bool {
    let Type::Reference(reference) = without_group(parameter) else { return false };
    last_segment(&reference.elem).is_some_and(|segment| segment.ident == "FunctionContext")
}

fn is_slice_of_datums(parameter: &Type) -> bool {
    let Type::Reference(reference) = without_group(parameter) else { return false };
    let Type::Slice(slice) = &*reference.elem else { return false };
    last_segment(&slice.elem).is_some_and(|segment| segment.ident == "Datum")
}

/// A type that came in through a macro's `$name:ty` is wrapped in an invisible group.
fn without_group(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => without_group(&group.elem),
        other => other,
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match without_group(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// `T` of `Wrapper<T>`.
fn argument_of<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(without_group(inner)),
        _ => None,
    })
}
