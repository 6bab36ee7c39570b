//! How an interface is declared: one table of members with signature, documentation and permission, and the macro
//! that writes it.
//!
//! Everything else comes from the table: introspection, `Properties`, `ObjectManager`, authorization, signals'
//! names. A member names the [`Call`] that it makes, and the call's permissions stand in the API crate's table; so a member
//! without a permission cannot be written.

use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use virtbus_api::Result;
use virtbus_api::access::Call;
use virtbus_api::session::Need;
use zbus::Signature;

use crate::invocation::Invocation;
use crate::numbers::Told;
use crate::tree::View;
use crate::value::Value;

/// An argument of a method or signal.
#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) name: &'static str,
    pub(crate) signature: &'static Signature,
    /// What its numbers are.
    pub(crate) told: fn() -> Vec<Told>,
}

impl Arg {
    /// The name on the wire: names that are also Rust's keywords are written `r#name`.
    pub(crate) fn name(&self) -> &'static str {
        self.name.trim_start_matches("r#")
    }
}

/// Runs a method: decodes, authorizes, calls the driver, encodes.
pub(crate) type Run = fn(Invocation) -> BoxFuture<'static, Result<zbus::Message>>;

/// How a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From what is known, in less than a millisecond: where all other calls would wait for it. A body that may have more to do
    /// than that waits for [`next_turn`](crate::turns::next_turn) first.
    Memory,
    /// From a guest, the host, or with work.
    Read,
    /// By changing something: keeps its place in the order of its sender's writes to the object.
    Write,
}

/// A method.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) ins: &'static [Arg],
    pub(crate) outs: &'static [Arg],
    /// How it is answered.
    pub(crate) kind: Kind,
    /// How much of the object it looks at.
    pub(crate) need: Need,
    /// The call whose permissions it needs.
    pub(crate) call: Call,
    pub(crate) run: Run,
}

/// Whether and how a property announces that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emits {
    /// By `PropertiesChanged`, with the value.
    Value,
    /// Never: it does not change while the object lives.
    Const,
    /// Never, though it may change.
    Nothing,
}

impl Emits {
    /// The value of `org.freedesktop.DBus.Property.EmitsChangedSignal`.
    pub(crate) const fn annotation(self) -> &'static str {
        match self {
            Self::Value => "true",
            Self::Const => "const",
            Self::Nothing => "false",
        }
    }
}

/// A property, read from the object's view.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) signature: &'static Signature,
    /// What its numbers are.
    pub(crate) told: fn() -> Vec<Told>,
    pub(crate) emits: Emits,
    /// The call whose permissions reading needs.
    pub(crate) call: Call,
    pub(crate) get: fn(&View) -> Result<Value<'_>>,
    pub(crate) set: Option<Setter>,
}

/// How a property is set.
#[derive(Debug)]
pub(crate) struct Setter {
    /// The call whose permissions setting needs.
    pub(crate) call: Call,
    pub(crate) run: Run,
}

/// A signal.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) args: &'static [Arg],
}

/// An interface.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
    pub(crate) methods: &'static [Method],
    pub(crate) properties: &'static [Property],
    pub(crate) signals: &'static [Signal],
    /// The interface as introspection has it, once somebody has asked.
    pub(crate) introspected: OnceLock<String>,
}

impl Interface {
    /// The method of this name.
    pub(crate) fn method(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The property of this name.
    pub(crate) fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties
            .iter()
            .find(|property| property.name == name)
    }
}

/// Declares an interface as a `static` table.
///
/// ```text
/// interface! {
///     /// Documentation, which introspection and the manual show.
///     NETWORK = "org.libvirt.Network", view NetworkView;
///     methods {
///         /// What it does.
///         write Create() -> (): NetworkCreate => |c| c.networks()?.create(c.id()?).await;
///         /// One that is answered from what is known of the object, which is its second name.
///         memory IsUp() -> (up: bool): NetworkIsActive => |c, view| Ok(view.active);
///         /// One that is about another object than the one it is called on, which the session looks for by a key.
///         memory LookupByName(name: String) -> (network: OwnedObjectPath): NetworkLookupByName finds Network by name(name) => |c| c.path();
///         /// One that is about what a document defines.
///         write DefineXML(xml: String) -> (network: OwnedObjectPath): NetworkDefineXml defines Network in xml => |c| c.path_of(c.networks()?.define_xml(&xml).await?);
///     }
///     properties {
///         /// What it tells.
///         Active: bool, emits Value: NetworkIsActive => |view| Ok(view.active.into());
///     }
///     signals {
///         /// When it comes.
///         Refresh();
///     }
/// }
/// ```
///
/// `memory`, `read` or `write` is the [`Kind`]. A method's body sees the arguments by name, as their types' [`Argument`](crate::numbers::Argument) has
/// checked them, and `c`, the [`Context`](crate::invocation::Context), and what is known of the object if it names that; it yields a result, of a tuple if there are several values. Numbers have types that say what they
/// are ([`numbers`](mod@crate::numbers)). Flags are known by their types; a member without them, whose call's permissions look at flags, does
/// not compile.
macro_rules! interface {
    (
        $(#[doc = $doc:literal])*
        $table:ident = $name:literal, view $view:ty;
        methods { $($(#[doc = $mdoc:literal])* $kind:ident $method:ident($($arg:ident: $type:ty),*) -> ($($out:ident: $otype:ty),*): $call:ident $([$named:ident])? $(finds $found:ident by $key:ident($($about:ident),+))? $(defines $defined:ident in $document:ident)? => |$c:ident $(, $known:ident)?| $body:expr;)* }
        properties { $($(#[doc = $pdoc:literal])* $property:ident: $ptype:ty, emits $emits:ident: $pcall:ident => $get:expr $(, set $scall:ident => |$sc:ident, $value:ident| $set:expr)?;)* }
        signals { $($(#[doc = $sdoc:literal])* $signal:ident($($sarg:ident: $stype:ty),*);)* }
    ) => {
        $(#[doc = $doc])*
        pub(crate) static $table: $crate::declare::Interface = $crate::declare::Interface {
            name: $name,
            doc: &[$($doc),*],
            methods: &[$($crate::declare::Method {
                name: stringify!($method),
                doc: &[$($mdoc),*],
                ins: &[$($crate::declare::Arg { name: stringify!($arg), signature: <$type as zbus::Type>::SIGNATURE, told: $crate::numbers::told::<$type> }),*],
                outs: &[$($crate::declare::Arg { name: stringify!($out), signature: <$otype as zbus::Type>::SIGNATURE, told: $crate::numbers::told::<$otype> }),*],
                kind: $crate::declare::interface!(@kind $kind),
                need: $crate::declare::interface!(@need $($known)?),
                call: virtbus_api::access::Call::$call,
                #[allow(non_snake_case, reason = "arguments have the names that clients see")]
                run: |invocation| Box::pin(async move {
                    const CALL: virtbus_api::access::Call = virtbus_api::access::Call::$call;
                    const { $crate::declare::has_what_rules_look_at(
                        CALL,
                        false $(|| <$type as $crate::numbers::Argument>::IS_FLAGS)*,
                        $crate::declare::interface!(@name $($named)?),
                    ) };
                    let ($($arg,)*): ($($type,)*) = invocation.arguments()?;
                    $(let target = invocation.found(virtbus_api::object::Kind::$found, $crate::interfaces::lookup::$key($(&$about),+)).await?;
                    let invocation = invocation.about(target);)?
                    $(let target = invocation.defined(virtbus_api::object::Kind::$defined, &$document).await?;
                    let invocation = invocation.about(target);)?
                    let arguments = virtbus_api::access::Arguments {
                        flags: 0 $(| $crate::numbers::Argument::flags(&$arg))*,
                        named: $crate::declare::interface!(@named $($named)?),
                    };
                    let granted = invocation.grant(CALL, arguments).await?;
                    $(#[allow(unused_variables, reason = "of flags that there are none of, nothing is left")]
                    let $arg = $crate::numbers::Argument::checked($arg, stringify!($method))?;)*
                    let $c = invocation.context(granted);
                    $(let $known = <&std::sync::Arc<$view>>::try_from($c.view()?)?;)?
                    let answer: ($($otype,)*) = $crate::declare::interface!(@answer invocation.enter(async { $body }).await?, $($out),*);
                    invocation.reply(&$crate::declare::interface!(@body answer, $($out),*))
                }),
            }),*],
            properties: &[$($crate::declare::Property {
                name: stringify!($property),
                doc: &[$($pdoc),*],
                signature: <$ptype as zbus::Type>::SIGNATURE,
                told: $crate::numbers::told::<$ptype>,
                emits: $crate::declare::Emits::$emits,
                call: virtbus_api::access::Call::$pcall,
                get: |view| {
                    let get: fn(&$view) -> virtbus_api::Result<$crate::value::Value<'_>> = $get;
                    get(<$view as $crate::tree::OfView>::of(view)?)
                },
                set: $crate::declare::interface!(@set $property $ptype $(, $scall, $sc, $value, $set)?),
            }),*],
            introspected: std::sync::OnceLock::new(),
            signals: &[$($crate::declare::Signal {
                name: stringify!($signal),
                doc: &[$($sdoc),*],
                args: &[$($crate::declare::Arg { name: stringify!($sarg), signature: <$stype as zbus::Type>::SIGNATURE, told: $crate::numbers::told::<$stype> }),*],
            }),*],
        };
    };
    (@kind memory) => { $crate::declare::Kind::Memory };
    (@kind read) => { $crate::declare::Kind::Read };
    (@kind write) => { $crate::declare::Kind::Write };
    (@need) => { virtbus_api::session::Need::Id };
    (@need $known:ident) => { virtbus_api::session::Need::View };
    (@name) => { None };
    (@name $named:ident) => { Some(stringify!($named)) };
    (@named) => { None };
    (@named $named:ident) => { Some((stringify!($named), $crate::numbers::Argument::number(&$named))) };
    (@answer $answer:expr,) => { $answer };
    (@answer $answer:expr, $out:ident) => { ($answer,) };
    (@answer $answer:expr, $($out:ident),*) => { $answer };
    (@body $answer:ident,) => { { let () = $answer; } };
    (@body $answer:ident, $($out:ident),*) => { $answer };
    (@set $property:ident $type:ty) => { None };
    (@set $property:ident $type:ty, $call:ident, $c:ident, $value:ident, $set:expr) => {
        Some($crate::declare::Setter { call: virtbus_api::access::Call::$call, run: |invocation| Box::pin(async move {
            const CALL: virtbus_api::access::Call = virtbus_api::access::Call::$call;
            let $value: $type = invocation.property_value()?;
            let granted = invocation.grant(CALL, Default::default()).await?;
            let $c = invocation.context(granted);
            let () = invocation.enter(async { $set }).await?;
            invocation.reply(&())
        }) })
    };
}

pub(crate) use interface;

/// Fails to compile for a member that lacks an argument which the rules of its call look at.
pub(crate) const fn has_what_rules_look_at(call: Call, has_flags: bool, named: Option<&str>) {
    assert!(
        has_flags || !call.looks_at_flags(),
        "the permissions of this member's call depend on flags, and it has none"
    );
    assert!(
        call.looks_at_argument(named),
        "the permissions of this member's call depend on an argument, which the row has to name in brackets"
    );
}
