//! `#[derive(Xml)]`: an implementation of `virtbus_xml::Content` from the shape of a type.
//!
//! On the fields of a struct, in the order in which they are written:
//!
//! | attribute | the field is |
//! |---|---|
//! | `#[xml(attr)]`, `#[xml(attr = "name")]` | an attribute: `T` required, `Option<T>` not |
//! | `#[xml(child)]`, `#[xml(child = "name")]` | a child element: `T`, `Option<T>`, `Vec<T>` |
//! | `#[xml(text_child)]` | a child element with text only: `T`, `Option<T>`, `Vec<T>` |
//! | `#[xml(child_attr = "child/attribute")]` | the only attribute of a child: `T`, `Option<T>`, `Vec<T>` |
//! | `#[xml(flag)]` | `bool`: an empty child that is there or not |
//! | `#[xml(text)]` | the element's own text: `T`, `Option<T>` |
//! | `#[xml(flat)]` | a part without an element of its own: `T`, or `Option<T>`, absent if it says nothing |
//!
//! and besides these `late` (write the children of this field after all others), `wrap = "name"`
//! (the children stand in one more element, which is absent if they are), `skip_empty` (an element
//! that would be empty is not written, and one that says nothing is read as absent), `open` (one that is
//! empty still gets an end tag), `default` (a required child that is absent reads like an empty one),
//! `when = path` (a function of `&Self` and the flags that says whether to write it), `unset = …` (a value that says no more than
//! its absence: it is read as that, and not written), and for
//! descriptions only `absent = "…"` (what holds if it is not there), `told = "…"` (which texts are allowed, if the type
//! does not tell), `input` (read, and written as something else), `output` (written, and ignored when read) and `conditional` (not
//! always written; `when` says so, too).
//!
//! An enum has `#[xml(tag = "type")]`: that attribute chooses the variant, whose contents stand in the
//! same element, or with `body = "source"` in a child of it. `default` on a variant chooses it when
//! the attribute is absent.
//!
//! `#[derive(Describe)]` takes the same attributes to describe what is read and written by hand, on fields of variants too.
//! There, a field can be in no document (`skip`), be described by another type than its own (`value = Type`), be there more
//! or less often than its type tells (`required`, `optional`, `many`), belong to others (`foreign`), or stand for children named by
//! words (`named`, or `named = "attribute"`). A name in `child` and `wrap` can have an attribute that tells the element from others
//! (`child = "mode[name=custom]"`), and `wrap` a path. What no field stands for is said of the whole type, with
//! `more(attr = "tty", value = Text, optional, doc = "…")`; where `Xml` is derived, what is `input` there is known and has no effect.
//! An enum without `tag` has variants of which one is there, each with an attribute like a field's.
//!
//! Where a type is told here as `Vec<T>`, it can be `Rare<Vec<T>>` as well, and a part that is `flat` a `Rare<T>`, for what most
//! documents do not have.
//!
//! The macro knows nothing of name spaces and makes no defaults; what does not fit is written by hand.

mod describe;
mod fields;
mod nothing;
mod structs;
mod tagged;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, Error, parse_macro_input};

/// Derives `virtbus_xml::Content`; see the crate's documentation for the attributes.
#[proc_macro_derive(Xml, attributes(xml))]
pub fn derive_xml(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let output = match &input.data {
        Data::Struct(data) => structs::derive(&input, data),
        Data::Enum(data) => tagged::derive(&input, data),
        Data::Union(_) => Err(Error::new_spanned(&input, "a union cannot be an element")),
    };
    let described = describe::derive(&input);
    let both =
        output.and_then(|content| described.map(|described| quote::quote!(#content #described)));
    both.unwrap_or_else(Error::into_compile_error).into()
}

/// Derives `virtbus_xml::Describe` for a type that is read and written by hand; see the crate's documentation for the
/// attributes.
#[proc_macro_derive(Describe, attributes(xml))]
pub fn derive_describe(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let output = describe::derive(&input);
    output.unwrap_or_else(Error::into_compile_error).into()
}

/// Derives `virtbus_xml::Nothing` for a struct: each field has to have a value that says nothing.
#[proc_macro_derive(Nothing)]
pub fn derive_nothing(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let output = nothing::derive(&input);
    output.unwrap_or_else(Error::into_compile_error).into()
}
