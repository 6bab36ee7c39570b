//! Deriving for a struct: fields by name in, fields in order out.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataStruct, DeriveInput, Fields, Result};

use crate::describe;
use crate::fields::{Role, Shape, Way, XmlField};

pub(crate) fn derive(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let fields: Vec<XmlField> = match &data.fields {
        Fields::Named(named) => named
            .named
            .iter()
            .map(|field| match XmlField::new(field)? {
                Some(field) if !field.is_only_described() => Ok(field),
                _ => Err(syn::Error::new_spanned(
                    field,
                    "this is for #[derive(Describe)] only",
                )),
            })
            .collect::<Result<_>>()?,
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(syn::Error::new_spanned(
                &input.ident,
                "fields must have names",
            ));
        }
    };
    let ident = &input.ident;
    let ignored = describe::more(input)?.into_iter().filter_map(ignore);
    let parse = fields.iter().map(parse_field);
    let attrs = fields.iter().map(|f| guarded(f, write_attrs(f)));
    let (late, early): (Vec<_>, Vec<_>) = fields.iter().partition(|f| f.late);
    let children = early
        .into_iter()
        .chain(late)
        .map(|f| guarded(f, write_children(f)));
    Ok(quote! {
        #[automatically_derived]
        impl ::virtbus_xml::Content for #ident {
            fn parse(node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<Self> {
                let _ = node;
                #(#ignored)*
                Ok(Self { #(#parse),* })
            }

            fn attrs(&self, w: &mut ::virtbus_xml::Writer) {
                let _ = &w;
                #(#attrs)*
            }

            fn children(&self, w: &mut ::virtbus_xml::Writer) {
                let _ = &w;
                #(#children)*
            }
        }
    })
}

/// Marks as known what is read for the sake of older or other programs, and has no effect.
fn ignore(field: XmlField) -> Option<TokenStream> {
    if !matches!(field.described.way, Way::In) {
        return None;
    }
    match field.role {
        Role::Attr(name) => Some(quote!(let _ = node.attr(#name);)),
        Role::Child(name) | Role::TextChild(name) => {
            Some(quote!(node.child_or_absent(#name).take_all();))
        }
        _ => None,
    }
}

fn parse_field(field: &XmlField) -> TokenStream {
    let ident = &field.ident;
    let reader = match (&field.role, field.shape) {
        (Role::Attr(name), Shape::Optional) => quote!(attr_opt(#name)?),
        (Role::Attr(name), _) => quote!(attr_req(#name)?),
        (Role::Child(name), Shape::Optional) if field.skip_empty => quote!(child_filled(#name)?),
        (Role::Child(name), Shape::Many) if field.skip_empty => quote!(children_filled(#name)?),
        (Role::Child(name), Shape::Optional) => quote!(child_opt(#name)?),
        (Role::Child(name), Shape::Required) if field.default => {
            return quote!(#ident: ::virtbus_xml::Content::parse(node.child_or_absent(#name))?);
        }
        (Role::Child(name), Shape::Required) => quote!(child_req(#name)?),
        (Role::Child(name), Shape::Many) => quote!(child_vec(#name)?),
        (Role::TextChild(name), Shape::Optional) => quote!(text_child_opt(#name)?),
        (Role::TextChild(name), Shape::Required) => quote!(text_child_req(#name)?),
        (Role::TextChild(name), Shape::Many) => quote!(text_child_vec(#name)?),
        (Role::ChildAttr(child, attr), Shape::Optional) => quote!(child_attr_opt(#child, #attr)?),
        (Role::ChildAttr(child, attr), Shape::Required) => quote!(child_attr_req(#child, #attr)?),
        (Role::ChildAttr(child, attr), Shape::Many) => quote!(child_attr_vec(#child, #attr)?),
        (Role::Flag(name), _) => quote!(child(#name).is_some()),
        (Role::Text, Shape::Optional) => quote!(text_opt()?),
        (Role::Text, _) => quote!(text_req()?),
        (Role::Named(_), _) => return TokenStream::new(),
        (Role::Flat, Shape::Optional) => quote!(part_filled()?),
        (Role::Flat, _) => return quote!(#ident: ::virtbus_xml::Content::parse(node)?),
    };
    let read = match &field.wrap {
        None => quote!(node.#reader),
        Some(wrap) => quote!(node.child_or_absent(#wrap).#reader),
    };
    if let Some(unset) = &field.unset {
        quote!(#ident: #read.filter(|it| *it != #unset))
    } else if field.rare {
        quote!(#ident: ::virtbus_xml::Rare::new(#read))
    } else {
        quote!(#ident: #read)
    }
}

/// Puts `code` under the field's conditions.
fn guarded(field: &XmlField, code: TokenStream) -> TokenStream {
    if code.is_empty() {
        return code;
    }
    let ident = &field.ident;
    let code = match &field.unset {
        Some(unset) => quote!(if self.#ident.as_ref().is_some_and(|it| *it != #unset) { #code }),
        None => code,
    };
    match &field.when {
        Some(when) => quote!(if #when(self, w.flags()) { #code }),
        None => code,
    }
}

fn write_attrs(field: &XmlField) -> TokenStream {
    let ident = &field.ident;
    match (&field.role, field.shape) {
        (Role::Attr(name), Shape::Optional) => quote!(w.attr_opt(#name, &self.#ident);),
        (Role::Attr(name), _) => quote!(w.attr(#name, &self.#ident);),
        (Role::Flat, Shape::Optional) => {
            quote!(if let Some(it) = &self.#ident { ::virtbus_xml::Content::attrs(it, w); })
        }
        (Role::Flat, _) => quote!(::virtbus_xml::Content::attrs(&self.#ident, w);),
        _ => TokenStream::new(),
    }
}

fn write_children(field: &XmlField) -> TokenStream {
    let ident = &field.ident;
    let element = match (field.skip_empty, field.open) {
        (true, _) => quote!(element_unless_empty),
        (false, true) => quote!(element_open),
        (false, false) => quote!(element),
    };
    let one = match &field.role {
        Role::Attr(_) | Role::Named(_) => return TokenStream::new(),
        Role::Flat => quote!(::virtbus_xml::Content::children(it, w);),
        Role::Flag(name) => return quote!(if self.#ident { w.flag(#name); }),
        Role::Text => match field.shape {
            Shape::Optional => return quote!(if let Some(it) = &self.#ident { w.text(it); }),
            _ => return quote!(w.text(&self.#ident);),
        },
        Role::Child(name) => quote!(w.#element(#name, it);),
        Role::TextChild(name) => quote!(w.text_element(#name, it);),
        Role::ChildAttr(child, attr) => quote!(w.attr_element(#child, #attr, it);),
    };
    let all = match field.shape {
        Shape::Required => quote!({ let it = &self.#ident; #one }),
        Shape::Optional => quote!(if let Some(it) = &self.#ident { #one }),
        Shape::Many => quote!(for it in &self.#ident { #one }),
    };
    let Some(wrap) = &field.wrap else { return all };
    let present = match field.shape {
        Shape::Required => quote!(true),
        Shape::Optional => quote!(self.#ident.is_some()),
        Shape::Many => quote!(!self.#ident.is_empty()),
    };
    quote!(if #present { w.begin(#wrap); #all w.end(#wrap); })
}
