//! Describing a type: the same attributes as for reading and writing, as data, with the comments of fields and variants.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, ExprLit, Fields, Lit, Meta, Result,
};

use crate::fields::{Role, Shape, Way, XmlField};
use crate::tagged;

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let alternative = matches!(input.data, Data::Enum(_)) && !tagged::has_tag(input);
    let mut parts = match &input.data {
        Data::Struct(data) => parts(&data.fields)?,
        Data::Enum(data) if alternative => alternatives(data)?,
        Data::Enum(data) => vec![choice(input, data)?],
        Data::Union(_) => {
            return Err(Error::new_spanned(input, "a union cannot be an element"));
        }
    };
    parts.extend(more(input)?.iter().map(part));
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let ident = &input.ident;
    let name = ident.to_string();
    let doc = doc(&input.attrs);
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::virtbus_xml::Describe for #ident #ty_generics #where_clause {
            fn describe() -> &'static ::virtbus_xml::Description {
                static DESCRIPTION: ::virtbus_xml::Description = ::virtbus_xml::Description {
                    type_name: concat!(module_path!(), "::", #name),
                    doc: #doc,
                    alternatives: #alternative,
                    parts: &[#(#parts),*],
                };
                &DESCRIPTION
            }
        }
    })
}

fn parts(fields: &Fields) -> Result<Vec<TokenStream>> {
    let mut parts = Vec::new();
    for field in fields {
        if let Some(field) = XmlField::new(field)? {
            parts.push(part(&field));
        }
    }
    Ok(parts)
}

/// An enum without a tag: its variants are parts of which one is there.
fn alternatives(data: &DataEnum) -> Result<Vec<TokenStream>> {
    let mut parts = Vec::new();
    for variant in &data.variants {
        if let Some(field) = XmlField::of_variant(variant)? {
            parts.push(part(&field));
        }
    }
    Ok(parts)
}

/// The parts that no field stands for.
pub(crate) fn more(input: &DeriveInput) -> Result<Vec<XmlField>> {
    let mut fields = Vec::new();
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("xml")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("more") {
                // What else there is has been read where it matters.
                return meta.value()?.parse::<syn::LitStr>().map(drop);
            }
            if let Some(field) = XmlField::of_more(&meta, &input.ident)? {
                fields.push(field);
            }
            Ok(())
        })?;
    }
    Ok(fields)
}

/// An enum with a tag: an attribute that chooses.
fn choice(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let (tag, body) = tagged::container(input)?;
    let mut has_default = false;
    let mut variants = Vec::new();
    for variant in &data.variants {
        let known = tagged::variant(variant)?;
        has_default |= known.default;
        let (name, doc, default) = (&known.name, doc(&variant.attrs), known.default);
        let whole = variant.fields.iter().all(|f| f.attrs.is_empty());
        let parts = match variant.fields.iter().next() {
            Some(content) if whole && matches!(variant.fields, Fields::Unnamed(_)) => {
                let ty = &content.ty;
                let kind = quote!(Flat(<#ty as ::virtbus_xml::Describe>::describe));
                vec![write_part(
                    "",
                    &doc,
                    Shape::Required,
                    &kind,
                    &Rest::default(),
                )]
            }
            _ => parts(&variant.fields)?,
        };
        variants.push(quote! {
            ::virtbus_xml::Variant { name: #name, doc: #doc, default: #default, parts: &[#(#parts),*] }
        });
    }
    let body = body.map_or(quote!(None), |body| quote!(Some(#body)));
    let kind = quote! {
        Choice(::virtbus_xml::Choice { body: #body, variants: &[#(#variants),*] })
    };
    let shape = if has_default {
        Shape::Optional
    } else {
        Shape::Required
    };
    Ok(write_part(
        &tag,
        &doc(&input.attrs),
        shape,
        &kind,
        &Rest::default(),
    ))
}

fn part(field: &XmlField) -> TokenStream {
    let described = &field.described;
    let ty = described.value.as_ref().unwrap_or(&field.inner);
    let values = match &described.told {
        Some(told) => quote!(::virtbus_xml::Values::Told(#told)),
        None => quote!(::virtbus_xml::Values::of::<#ty>()),
    };
    let contents = quote!(<#ty as ::virtbus_xml::Describe>::describe);
    let (name, kind) = match &field.role {
        Role::Attr(name) => (name.as_str(), quote!(Attribute(#values))),
        Role::Child(name) if described.foreign => (name.as_str(), quote!(Foreign)),
        Role::Flat if described.foreign => ("", quote!(Foreign)),
        Role::Child(name) => (name.as_str(), quote!(Element(#contents))),
        Role::TextChild(name) => (name.as_str(), quote!(TextElement(#values))),
        Role::ChildAttr(name, attr) => (name.as_str(), quote!(AttributeElement(#attr, #values))),
        Role::Flag(name) => (name.as_str(), quote!(Flag)),
        Role::Text => ("", quote!(Text(#values))),
        Role::Flat => ("", quote!(Flat(#contents))),
        Role::Named(None) => ("", quote!(Named(#values, None))),
        Role::Named(Some(attr)) => ("", quote!(Named(#values, Some(#attr)))),
    };
    let shape = match (&field.role, field.shape) {
        (Role::Flag(_), _) => Shape::Optional,
        (Role::Child(_), Shape::Required) if field.default => Shape::Optional,
        (_, shape) => shape,
    };
    let (name, fixed) = select(name);
    let around = field.wrap.as_deref().unwrap_or_default();
    let steps = around.split('/').filter(|step| !step.is_empty());
    let rest = Rest {
        within: steps
            .map(|step| {
                let (name, fixed) = select(step);
                quote!(::virtbus_xml::Step { name: #name, fixed: &[#(#fixed),*] })
            })
            .collect(),
        conditional: field.when.is_some() || field.unset.is_some() || described.conditional,
        absent: described.absent.clone().unwrap_or_default(),
        way: described.way,
        fixed,
    };
    let shape = described.shape.unwrap_or(shape);
    write_part(name, &field.doc, shape, &kind, &rest)
}

/// The name of an element, and the attribute in brackets behind it that tells it from others: `name[attribute=value]`.
fn select(text: &str) -> (&str, Vec<TokenStream>) {
    let Some((name, selector)) = text.trim_end_matches(']').split_once('[') else {
        return (text, Vec::new());
    };
    let (attribute, value) = selector.split_once('=').unwrap_or((selector, ""));
    (name, vec![quote!((#attribute, #value))])
}

/// What most parts do not have.
#[derive(Default)]
struct Rest {
    within: Vec<TokenStream>,
    conditional: bool,
    absent: String,
    way: Way,
    fixed: Vec<TokenStream>,
}

fn write_part(name: &str, doc: &str, shape: Shape, kind: &TokenStream, rest: &Rest) -> TokenStream {
    let occurs = match shape {
        Shape::Required => quote!(Required),
        Shape::Optional => quote!(Optional),
        Shape::Many => quote!(Many),
    };
    let Rest {
        within,
        conditional,
        absent,
        way,
        fixed,
    } = rest;
    let way = match way {
        Way::Both => quote!(Both),
        Way::In => quote!(In),
        Way::Out => quote!(Out),
    };
    quote! {
        ::virtbus_xml::Part {
            name: #name,
            doc: #doc,
            occurs: ::virtbus_xml::Occurs::#occurs,
            fixed: &[#(#fixed),*],
            within: &[#(#within),*],
            conditional: #conditional,
            absent: #absent,
            way: ::virtbus_xml::Way::#way,
            kind: ::virtbus_xml::Kind::#kind,
        }
    }
}

/// The comment, as one line.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}
