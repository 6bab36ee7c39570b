//! Reading the `#[xml(…)]` attribute of one field.

use syn::spanned::Spanned;
use syn::{Error, Field, GenericArgument, Ident, LitStr, Path, PathArguments, Result, Type};

/// How a field appears in the document.
pub(crate) enum Role {
    Attr(String),
    Child(String),
    TextChild(String),
    ChildAttr(String, String),
    Flag(String),
    Text,
    Flat,
}

/// How often it may appear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Required,
    Optional,
    Many,
}

/// One field, understood.
pub(crate) struct XmlField {
    pub(crate) ident: Ident,
    pub(crate) role: Role,
    pub(crate) shape: Shape,
    pub(crate) late: bool,
    pub(crate) skip_empty: bool,
    pub(crate) open: bool,
    pub(crate) default: bool,
    pub(crate) wrap: Option<String>,
    pub(crate) when: Option<Path>,
}

impl XmlField {
    pub(crate) fn new(field: &Field) -> Result<Self> {
        let ident = field
            .ident
            .clone()
            .ok_or_else(|| Error::new(field.span(), "fields must have names"))?;
        let own_name = ident.to_string().trim_start_matches("r#").to_owned();
        let mut role = None;
        let (mut late, mut skip_empty, mut open, mut default) = (false, false, false, false);
        let (mut wrap, mut when) = (None, None);
        for attr in field.attrs.iter().filter(|a| a.path().is_ident("xml")) {
            attr.parse_nested_meta(|meta| {
                let key = meta
                    .path
                    .get_ident()
                    .map(Ident::to_string)
                    .unwrap_or_default();
                let name = || -> Result<String> {
                    if meta.input.peek(syn::Token![=]) {
                        Ok(meta.value()?.parse::<LitStr>()?.value())
                    } else {
                        Ok(own_name.clone())
                    }
                };
                let new = match key.as_str() {
                    "attr" => Role::Attr(name()?),
                    "child" => Role::Child(name()?),
                    "text_child" => Role::TextChild(name()?),
                    "child_attr" => {
                        let path = name()?;
                        let (child, attribute) = path
                            .split_once('/')
                            .ok_or_else(|| meta.error("write it as \"child/attribute\""))?;
                        Role::ChildAttr(child.to_owned(), attribute.to_owned())
                    }
                    "flag" => Role::Flag(name()?),
                    "text" => Role::Text,
                    "flat" => Role::Flat,
                    "late" => {
                        late = true;
                        return Ok(());
                    }
                    "skip_empty" => {
                        skip_empty = true;
                        return Ok(());
                    }
                    "default" => {
                        default = true;
                        return Ok(());
                    }
                    "open" => {
                        open = true;
                        return Ok(());
                    }
                    "wrap" => {
                        wrap = Some(name()?);
                        return Ok(());
                    }
                    "when" => {
                        when = Some(meta.value()?.parse::<Path>()?);
                        return Ok(());
                    }
                    _ => return Err(meta.error("unknown key")),
                };
                if role.replace(new).is_some() {
                    return Err(meta.error("a field has only one role"));
                }
                Ok(())
            })?;
        }
        let role =
            role.ok_or_else(|| Error::new(field.span(), "say with #[xml(…)] what this field is"))?;
        let shape = if matches!(role, Role::Flag(_)) {
            Shape::Required
        } else {
            shape_of(&field.ty)
        };
        if shape == Shape::Many && matches!(role, Role::Attr(_) | Role::Text | Role::Flat) {
            return Err(Error::new(field.span(), "this can be there only once"));
        }
        Ok(Self {
            ident,
            role,
            shape,
            late,
            skip_empty,
            open,
            default,
            wrap,
            when,
        })
    }
}

/// `Option<…>` and `Vec<…>` by name: that is all a macro can see.
fn shape_of(ty: &Type) -> Shape {
    let Type::Path(path) = ty else {
        return Shape::Required;
    };
    let Some(last) = path.path.segments.last() else {
        return Shape::Required;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return Shape::Required;
    };
    let one_type = matches!(arguments.args.first(), Some(GenericArgument::Type(_)));
    match last.ident.to_string().as_str() {
        "Option" if one_type => Shape::Optional,
        "Vec" if one_type => Shape::Many,
        _ => Shape::Required,
    }
}
