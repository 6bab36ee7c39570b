//! Deriving for an enum: an attribute of the host element chooses the variant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Error, Fields, Ident, LitStr, Result, Variant};

pub(crate) struct XmlVariant<'a> {
    ident: &'a Ident,
    pub(crate) name: String,
    pub(crate) default: bool,
    has_content: bool,
}

pub(crate) fn derive(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let (tag, body) = container(input)?;
    let variants = data
        .variants
        .iter()
        .map(|of| match &of.fields {
            Fields::Unit => variant(of),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => variant(of),
            _ => Err(Error::new_spanned(
                of,
                "a variant has one unnamed field or none",
            )),
        })
        .collect::<Result<Vec<_>>>()?;
    let ident = &input.ident;
    let vis = &input.vis;
    let names: Vec<&String> = variants.iter().map(|v| &v.name).collect();
    let parse = variants.iter().map(|v| parse_arm(v, body.as_deref()));
    let name_arms = variants.iter().map(|v| {
        let (ident, name) = (v.ident, &v.name);
        if v.has_content {
            quote!(Self::#ident(_) => #name)
        } else {
            quote!(Self::#ident => #name)
        }
    });
    let contents: Vec<&Ident> = variants
        .iter()
        .filter(|v| v.has_content)
        .map(|v| v.ident)
        .collect();
    let with_content = |code: TokenStream| {
        let rest = (contents.len() < variants.len()).then(|| quote!(_ => {}));
        quote!(match self { #(Self::#contents(it) => { #code })* #rest })
    };
    let (attrs, children) = match &body {
        None if contents.is_empty() => (TokenStream::new(), TokenStream::new()),
        None => (
            with_content(quote!(::virtbus_xml::Content::attrs(it, w);)),
            with_content(quote!(::virtbus_xml::Content::children(it, w);)),
        ),
        Some(body) => (
            TokenStream::new(),
            with_content(quote!(w.element_unless_empty(#body, it);)),
        ),
    };
    let doc = format!("The names of `{tag}=`, in the order of the variants.");
    let absent = match variants.iter().find(|v| v.default) {
        Some(v) => {
            let name = &v.name;
            quote!(node.attr(#tag).unwrap_or(#name))
        }
        None => quote!(node.attr(#tag).ok_or_else(|| node.missing_attr(#tag))?),
    };
    Ok(quote! {
        impl #ident {
            #[doc = #doc]
            #vis const NAMES: &'static [&'static str] = &[#(#names),*];

            /// The name of the variant in XML.
            #vis fn as_str(&self) -> &'static str {
                match self { #(#name_arms),* }
            }
        }

        #[automatically_derived]
        impl ::virtbus_xml::Content for #ident {
            fn parse(node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<Self> {
                let name = #absent;
                match name {
                    #(#parse)*
                    _ => Err(node.bad_attr(#tag, name, &::virtbus_xml::one_of(Self::NAMES))),
                }
            }

            fn attrs(&self, w: &mut ::virtbus_xml::Writer) {
                w.attr_str(#tag, self.as_str());
                #attrs
            }

            fn children(&self, w: &mut ::virtbus_xml::Writer) {
                let _ = &w;
                #children
            }
        }
    })
}

/// Whether an attribute chooses the variant.
pub(crate) fn has_tag(input: &DeriveInput) -> bool {
    container(input).is_ok()
}

pub(crate) fn container(input: &DeriveInput) -> Result<(String, Option<String>)> {
    let (mut tag, mut body) = (None, None);
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("xml")) {
        attr.parse_nested_meta(|meta| {
            let target = match meta.path.get_ident().map(Ident::to_string).as_deref() {
                Some("tag") => &mut tag,
                Some("body") => &mut body,
                Some("more") => {
                    // Described only.
                    let content;
                    syn::parenthesized!(content in meta.input);
                    return content.parse::<TokenStream>().map(drop);
                }
                _ => return Err(meta.error("unknown key")),
            };
            *target = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    let tag = tag.ok_or_else(|| {
        Error::new_spanned(
            &input.ident,
            "say with #[xml(tag = \"…\")] what chooses the variant",
        )
    })?;
    Ok((tag, body))
}

pub(crate) fn variant(variant: &Variant) -> Result<XmlVariant<'_>> {
    let has_content = match &variant.fields {
        Fields::Unit => false,
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => true,
        // Such can be described only.
        _ => true,
    };
    let attr = variant
        .attrs
        .iter()
        .find(|a| a.path().is_ident("xml"))
        .ok_or_else(|| Error::new_spanned(variant, "say with #[xml(\"…\")] the variant's name"))?;
    let (name, default) = attr.parse_args_with(|input: syn::parse::ParseStream<'_>| {
        let name = input.parse::<LitStr>()?.value();
        if input.is_empty() {
            return Ok((name, false));
        }
        input.parse::<syn::Token![,]>()?;
        let word = input.parse::<Ident>()?;
        if word == "default" {
            Ok((name, true))
        } else {
            Err(Error::new_spanned(word, "unknown key"))
        }
    })?;
    Ok(XmlVariant {
        ident: &variant.ident,
        name,
        default,
        has_content,
    })
}

fn parse_arm(variant: &XmlVariant<'_>, body: Option<&str>) -> TokenStream {
    let (ident, name) = (variant.ident, &variant.name);
    match (variant.has_content, body) {
        (false, _) => quote!(#name => Ok(Self::#ident),),
        (true, None) => quote!(#name => ::virtbus_xml::Content::parse(node).map(Self::#ident),),
        (true, Some(body)) => {
            quote!(#name => ::virtbus_xml::Content::parse(node.child_or_absent(#body)).map(Self::#ident),)
        }
    }
}
