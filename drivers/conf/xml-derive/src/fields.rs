//! Reading the `#[xml(…)]` attribute of one field, or of a variant that is a part.

use syn::meta::ParseNestedMeta;
use syn::{
    Attribute, Error, Expr, Field, GenericArgument, Ident, LitStr, Path, PathArguments, Result,
    Type, Variant,
};

use crate::describe::doc;

/// How a field appears in the document.
pub(crate) enum Role {
    Attr(String),
    Child(String),
    TextChild(String),
    ChildAttr(String, String),
    Flag(String),
    Text,
    Flat,
    /// Described only: children named by the values of the type, each with this attribute or none.
    Named(Option<String>),
}

/// How often it may appear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Required,
    Optional,
    Many,
}

/// Whether it is read, written, or both.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Way {
    #[default]
    Both,
    In,
    Out,
}

/// What is said only for describing; reading and writing do not follow it.
#[derive(Default)]
pub(crate) struct Described {
    /// The type that it is described by, if that is not the field's.
    pub(crate) value: Option<Type>,
    /// How often it is there, if the type does not tell.
    pub(crate) shape: Option<Shape>,
    /// Whether anything may be in it.
    pub(crate) foreign: bool,
    /// Whether it is in no document.
    pub(crate) skip: bool,
    /// What holds if it is absent.
    pub(crate) absent: Option<String>,
    /// Whether it depends on the rest that it is written.
    pub(crate) conditional: bool,
    /// What values are allowed, if no type tells.
    pub(crate) told: Option<String>,
    /// Whether it is read, written, or both.
    pub(crate) way: Way,
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
    /// Whether it is a list that most do not have.
    pub(crate) rare: bool,
    pub(crate) wrap: Option<String>,
    pub(crate) when: Option<Path>,
    /// The value that counts as absent.
    pub(crate) unset: Option<Expr>,
    /// The comment.
    pub(crate) doc: String,
    /// The type without its `Option` or `Vec`.
    pub(crate) inner: Type,
    pub(crate) described: Described,
}

impl XmlField {
    /// The field, unless it is in no document.
    pub(crate) fn new(field: &Field) -> Result<Option<Self>> {
        // A field without a name can be described only, and has to say what it is called.
        let unnamed = Ident::new("value", proc_macro2::Span::call_site());
        let ident = field.ident.clone().unwrap_or(unnamed);
        Keys::of(&ident, &field.attrs)?.field(ident, &field.ty)
    }

    /// A variant of an enum whose variants are parts of which one is there.
    pub(crate) fn of_variant(variant: &Variant) -> Result<Option<Self>> {
        let nothing: Type = syn::parse_quote!(());
        let ty = variant.fields.iter().next().map_or(&nothing, |f| &f.ty);
        let mut keys = Keys::of(&variant.ident, &variant.attrs)?;
        keys.described.shape.get_or_insert(Shape::Optional);
        keys.field(variant.ident.clone(), ty)
    }

    /// What no field stands for: `more(…)`, with its comment as `doc = "…"`.
    pub(crate) fn of_more(meta: &ParseNestedMeta<'_>, ident: &Ident) -> Result<Option<Self>> {
        let mut keys = Keys::default();
        meta.parse_nested_meta(|meta| keys.take("", &meta))?;
        let value = keys.described.value.clone();
        let ty = value.unwrap_or_else(|| syn::parse_quote!(()));
        keys.field(ident.clone(), &ty)
    }

    /// Whether an element is told from others of its name by an attribute.
    fn has_selector(&self) -> bool {
        let name = match &self.role {
            Role::Child(name) | Role::TextChild(name) | Role::ChildAttr(name, _) => name,
            Role::Attr(_) | Role::Flag(_) | Role::Text | Role::Flat | Role::Named(_) => "",
        };
        let wrap = self.wrap.as_deref().unwrap_or_default();
        name.contains('[') || wrap.contains(['[', '/', '.'])
    }

    /// Whether something is said that reading and writing do not follow.
    pub(crate) fn is_only_described(&self) -> bool {
        let described = &self.described;
        described.value.is_some()
            || described.shape.is_some()
            || described.foreign
            || self.has_selector()
            || matches!(self.role, Role::Named(_))
    }
}

/// What is said of a field.
#[derive(Default)]
struct Keys {
    role: Option<Role>,
    late: bool,
    skip_empty: bool,
    open: bool,
    default: bool,
    wrap: Option<String>,
    when: Option<Path>,
    unset: Option<Expr>,
    doc: String,
    described: Described,
}

impl Keys {
    fn of(ident: &Ident, attrs: &[Attribute]) -> Result<Self> {
        let own_name = ident.to_string().trim_start_matches("r#").to_owned();
        let mut keys = Self {
            doc: doc(attrs),
            ..Self::default()
        };
        for attr in attrs.iter().filter(|a| a.path().is_ident("xml")) {
            attr.parse_nested_meta(|meta| keys.take(&own_name, &meta))?;
        }
        Ok(keys)
    }

    /// Takes one key of the list.
    fn take(&mut self, own_name: &str, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.get_ident().map(Ident::to_string);
        let key = key.unwrap_or_default();
        let given = || -> Result<Option<String>> {
            if meta.input.peek(syn::Token![=]) {
                Ok(Some(meta.value()?.parse::<LitStr>()?.value()))
            } else {
                Ok(None)
            }
        };
        let name = || given().map(|name| name.unwrap_or_else(|| own_name.to_owned()));
        let role = match key.as_str() {
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
            "named" => Role::Named(given()?),
            _ => return self.take_setting(&key, &name, meta),
        };
        match self.role.replace(role) {
            Some(_) => Err(meta.error("a field has only one role")),
            None => Ok(()),
        }
    }

    fn take_setting(
        &mut self,
        key: &str,
        name: &dyn Fn() -> Result<String>,
        meta: &ParseNestedMeta<'_>,
    ) -> Result<()> {
        let described = &mut self.described;
        match key {
            "late" => self.late = true,
            "skip_empty" => self.skip_empty = true,
            "default" => self.default = true,
            "open" => self.open = true,
            "wrap" => self.wrap = Some(name()?),
            "when" => self.when = Some(meta.value()?.parse()?),
            "unset" => self.unset = Some(meta.value()?.parse()?),
            "doc" => self.doc = name()?,
            "skip" => described.skip = true,
            "foreign" => described.foreign = true,
            "absent" => described.absent = Some(meta.value()?.parse::<LitStr>()?.value()),
            "told" => described.told = Some(meta.value()?.parse::<LitStr>()?.value()),
            "conditional" => described.conditional = true,
            "input" => described.way = Way::In,
            "output" => described.way = Way::Out,
            "required" => described.shape = Some(Shape::Required),
            "optional" => described.shape = Some(Shape::Optional),
            "many" => described.shape = Some(Shape::Many),
            "value" => described.value = Some(meta.value()?.parse()?),
            _ => return Err(meta.error("unknown key")),
        }
        Ok(())
    }

    fn field(self, ident: Ident, ty: &Type) -> Result<Option<XmlField>> {
        if self.described.skip {
            return Ok(None);
        }
        let role = self
            .role
            .ok_or_else(|| Error::new(ident.span(), "say with #[xml(…)] what this field is"))?;
        let shape = match role {
            Role::Flag(_) => Shape::Required,
            _ => shape_of(ty),
        };
        if shape == Shape::Many
            && matches!(role, Role::Attr(_) | Role::Text | Role::Flat)
            && self.described.shape.is_none()
        {
            return Err(Error::new(ident.span(), "this can be there only once"));
        }
        if self.unset.is_some() && shape != Shape::Optional {
            return Err(Error::new(ident.span(), "only an `Option` can be unset"));
        }
        Ok(Some(XmlField {
            ident,
            role,
            shape,
            late: self.late,
            skip_empty: self.skip_empty,
            open: self.open,
            default: self.default,
            rare: list(ty).is_some(),
            wrap: self.wrap,
            when: self.when,
            unset: self.unset,
            doc: self.doc,
            inner: inner(ty, shape).clone(),
            described: self.described,
        }))
    }
}

/// `Option<…>` and `Vec<…>` by name: that is all a macro can see.
fn shape_of(ty: &Type) -> Shape {
    match wrapped(list(ty).unwrap_or(ty)) {
        Some(("Option", _)) => Shape::Optional,
        Some(("Vec", _)) => Shape::Many,
        _ => Shape::Required,
    }
}

/// The type that is read and written: without the `Option` or `Vec` around it.
fn inner(ty: &Type, shape: Shape) -> &Type {
    match (shape, wrapped(list(ty).unwrap_or(ty))) {
        (Shape::Optional | Shape::Many, Some((_, inner))) => inner,
        _ => ty,
    }
}

/// The `Vec<…>` in a `Rare<Vec<…>>`.
fn list(ty: &Type) -> Option<&Type> {
    match wrapped(ty) {
        Some(("Rare", inner)) if matches!(wrapped(inner), Some(("Vec", _))) => Some(inner),
        _ => None,
    }
}

/// `Option`, `Vec` or `Rare`, and the type in it.
fn wrapped(ty: &Type) -> Option<(&'static str, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let Some(GenericArgument::Type(inner)) = arguments.args.first() else {
        return None;
    };
    let around = ["Option", "Vec", "Rare"];
    let name = around.into_iter().find(|name| last.ident == name)?;
    Some((name, inner))
}
