//! Deriving the value of a struct that says nothing, from those of its fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(input, "this is for structs"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(input, "fields must have names"));
    };
    let ident = &input.ident;
    let names = fields.named.iter().map(|field| &field.ident);
    Ok(quote! {
        #[automatically_derived]
        impl ::virtbus_xml::Nothing for #ident {
            const NOTHING: Self = Self { #(#names: ::virtbus_xml::Nothing::NOTHING),* };

            fn nothing() -> &'static Self {
                static NOTHING: #ident = <#ident as ::virtbus_xml::Nothing>::NOTHING;
                &NOTHING
            }
        }
    })
}
