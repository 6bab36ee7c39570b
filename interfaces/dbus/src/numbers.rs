//! Numbers in arguments and answers: each type here says what its numbers are.
//!
//! Members declare their arguments with these types, so what documents say of a number (`told`) and what a call accepts
//! (`Argument`) come from one declaration. A bare `i32` or `u32` is neither: a member with a number that nobody explains
//! cannot be written.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use virtbus_api::domain::{Checked, check, retain};
use virtbus_api::numbers::{Choice, Numbered, Numbers};
use virtbus_api::typed::TypedParameterFlags;
use virtbus_api::{Error, Result};
use zbus::{Signature, Type};

use crate::declare::Interface;
use crate::paths::Paths;
use crate::value::{Dict, Given, Parameters};

/// What a number is.
#[derive(Debug, Clone, Copy)]
pub enum How {
    /// The sum of any of these flags.
    Flags(&'static Numbers),
    /// Flags, of which there are none yet: 0.
    NoFlags,
    /// One of these.
    One(&'static Numbers),
    /// What the number beside it says further: the set stands there with each of its values.
    Detail(&'static Numbers),
    /// A count, a size, a time, a number that something is known by: the member's documentation tells.
    Amount,
}

/// Where a number is in an argument, and what it is.
#[derive(Debug, Clone)]
pub struct Told {
    /// Places in the structures that it is in, from the outermost on and counted from 0; empty if the argument is a number or a list of
    /// numbers.
    pub place: Vec<usize>,
    /// What it is.
    pub how: How,
}

/// What a number of a member is.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The interface.
    pub interface: &'static str,
    /// `method`, `property` or `signal`, as introspection has it.
    pub kind: &'static str,
    /// Which of them.
    pub member: &'static str,
    /// The argument; empty for a property's value.
    pub argument: &'static str,
    /// Where it is there, and what it is.
    pub told: Told,
}

/// What the numbers of an interface are, member after member.
pub(crate) fn of_interface(interface: &'static Interface) -> impl Iterator<Item = Explanation> {
    let methods = interface.methods.iter().flat_map(|method| {
        let args = method.ins.iter().chain(method.outs);
        args.map(|arg| ("method", method.name, arg.name(), arg.told))
    });
    let properties = interface.properties.iter();
    let properties = properties.map(|property| ("property", property.name, "", property.told));
    let signals = interface.signals.iter().flat_map(|signal| {
        let args = signal.args.iter();
        args.map(|arg| ("signal", signal.name, arg.name(), arg.told))
    });
    let all = methods.chain(properties).chain(signals);
    all.flat_map(move |(kind, member, argument, told)| {
        told().into_iter().map(move |told| Explanation {
            interface: interface.name,
            kind,
            member,
            argument,
            told,
        })
    })
}

impl Told {
    /// In a few words, for introspection; nothing for an amount, which the member's documentation tells of.
    pub(crate) fn brief(&self) -> Option<String> {
        let brief = match self.how {
            How::Flags(numbers) => format!("Flags, {}", listed(numbers)),
            How::NoFlags => "Must be 0: no flags are defined.".to_owned(),
            How::One(numbers) => listed(numbers),
            How::Detail(numbers) => format!(
                "It depends on the number before it, {}: virtbus-numbers(7) has the table.",
                numbers.libvirt
            ),
            How::Amount => return None,
        };
        Some(match self.ordinal() {
            Some(ordinal) => format!("Value {ordinal}: {brief}"),
            None => brief,
        })
    }

    /// The place counted from 1, such as `3.1` for the first value of a structure that is the third; nothing if the argument is the
    /// number itself.
    #[must_use]
    pub fn ordinal(&self) -> Option<String> {
        let places = self.place.iter();
        let places: Vec<String> = places.map(|at| (at + 1).to_string()).collect();
        (!places.is_empty()).then(|| places.join("."))
    }
}

/// A set with the names of its numbers, without what all begin with.
fn listed(numbers: &Numbers) -> String {
    let values = numbers.values.iter().map(|number| {
        let name = numbers.name(number).replace(numbers.prefix, "");
        format!("{} {name}", number.value)
    });
    let values: Vec<String> = values.collect();
    format!("{}: {}.", numbers.libvirt, values.join(", "))
}

/// A wire type that says what its numbers are.
pub(crate) trait Explained: Type {
    /// Notes what the numbers at `place` are.
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>);
}

/// What the numbers of a type are.
pub(crate) fn told<T: Explained>() -> Vec<Told> {
    let mut told = Vec::new();
    T::tell(&mut Vec::new(), &mut told);
    told
}

fn note(place: &[usize], how: How, told: &mut Vec<Told>) {
    let place = place.to_owned();
    told.push(Told { place, how });
}

/// An argument, before and after its values were looked at.
pub(crate) trait Argument: Sized {
    /// What a method's body works with.
    type Checked;

    /// The argument, if `member` takes such values.
    ///
    /// # Errors
    /// `InvalidArg`, with what is wrong.
    fn checked(self, member: &str) -> Result<Self::Checked>;

    /// The number that rules look at.
    fn number(&self) -> u32 {
        0
    }
}

/// Flags of the set `S`.
#[derive(Debug, Deserialize)]
#[serde(transparent, bound = "")]
pub(crate) struct Flags<S>(u32, PhantomData<S>);

impl<S> Type for Flags<S> {
    const SIGNATURE: &'static Signature = <u32 as Type>::SIGNATURE;
}

impl<S: Numbered<Value: Checked>> Argument for Flags<S> {
    type Checked = S::Value;

    fn checked(self, member: &str) -> Result<S::Value> {
        check(self.0, member)
    }

    fn number(&self) -> u32 {
        self.0
    }
}

impl<S: Numbered> Explained for Flags<S> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::Flags(S::NUMBERS), told);
    }
}

/// Flags of a member that knows none.
#[derive(Debug, Default, Deserialize, Type)]
#[serde(transparent)]
pub(crate) struct NoFlags(u32);

impl Argument for NoFlags {
    type Checked = Self;

    fn checked(self, member: &str) -> Result<Self> {
        if self.0 == 0 {
            return Ok(self);
        }
        Err(Error::invalid_argument(format!(
            "{member} does not know the flags {:#x}",
            self.0
        )))
    }

    fn number(&self) -> u32 {
        self.0
    }
}

impl Explained for NoFlags {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::NoFlags, told);
    }
}

/// Flags of a member that answers with typed parameters. Clients of libvirt say that texts may be among them; here they always may.
#[derive(Debug, Deserialize)]
#[serde(transparent, bound = "F: Deserialize<'de>")]
pub(crate) struct ParameterFlags<F>(F);

impl<F: Type> Type for ParameterFlags<F> {
    const SIGNATURE: &'static Signature = F::SIGNATURE;
}

/// Flags from which others can be taken away.
pub(crate) trait Without {
    fn without(self, bits: u32) -> Self;
}

impl<S> Without for Flags<S> {
    fn without(self, bits: u32) -> Self {
        Self(self.0 & !bits, PhantomData)
    }
}

impl Without for NoFlags {
    fn without(self, bits: u32) -> Self {
        Self(self.0 & !bits)
    }
}

impl<F: Argument + Without> Argument for ParameterFlags<F> {
    type Checked = F::Checked;

    fn checked(self, member: &str) -> Result<F::Checked> {
        let okay = TypedParameterFlags::STRING_OKAY.bits();
        self.0.without(okay).checked(member)
    }

    fn number(&self) -> u32 {
        self.0.number()
    }
}

impl<F: Explained> Explained for ParameterFlags<F> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        let mut others = Vec::new();
        F::tell(place, &mut others);
        // That there are none would not be true beside this one.
        others.retain(|other| !matches!(other.how, How::NoFlags));
        told.append(&mut others);
        note(place, How::Flags(TypedParameterFlags::NUMBERS), told);
    }
}

/// Flags of the set `S`, of which those that nobody knows mean nothing.
#[derive(Debug, Deserialize)]
#[serde(transparent, bound = "")]
pub(crate) struct AnyFlags<S>(u32, PhantomData<S>);

impl<S> Type for AnyFlags<S> {
    const SIGNATURE: &'static Signature = <u32 as Type>::SIGNATURE;
}

impl<S: Numbered<Value: Checked>> Argument for AnyFlags<S> {
    type Checked = S::Value;

    fn checked(self, _: &str) -> Result<S::Value> {
        Ok(retain(self.0))
    }

    fn number(&self) -> u32 {
        self.0
    }
}

impl<S: Numbered> Explained for AnyFlags<S> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::Flags(S::NUMBERS), told);
    }
}

/// One number of the set `S`; `i` on the wire, or what `T` is.
#[derive(Debug, Deserialize, Serialize)]
#[serde(
    transparent,
    bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>")
)]
pub(crate) struct One<S, T = i32>(T, PhantomData<S>);

impl<S, T: Type> Type for One<S, T> {
    const SIGNATURE: &'static Signature = T::SIGNATURE;
}

impl<S, T> One<S, T> {
    /// A number that a driver gives as such.
    pub(crate) const fn given(number: T) -> Self {
        Self(number, PhantomData)
    }
}

impl<S: Numbered<Value: Choice>, T: Copy + Into<i64>> One<S, T> {
    /// The value.
    pub(crate) fn value(&self) -> Result<S::Value> {
        S::Value::from_number(self.0.into())
    }
}

impl<S: Numbered<Value = S> + Choice> From<S> for One<S> {
    fn from(value: S) -> Self {
        Self(value.number(), PhantomData)
    }
}

impl<S, T> Argument for One<S, T>
where
    S: Numbered<Value: Choice>,
    T: Copy + Into<i64>,
{
    type Checked = S::Value;

    fn checked(self, _: &str) -> Result<S::Value> {
        self.value()
    }

    fn number(&self) -> u32 {
        // Rules compare with numbers that there are; another one is refused.
        u32::try_from(self.0.into()).unwrap_or(u32::MAX)
    }
}

impl<S: Numbered, T: Type> Explained for One<S, T> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::One(S::NUMBERS), told);
    }
}

/// A number that depends on the one beside it, which is of the set `S`.
#[derive(Debug, Serialize)]
#[serde(transparent, bound(serialize = "T: Serialize"))]
pub(crate) struct Detail<S, T = i32>(T, PhantomData<S>);

impl<S, T: Type> Type for Detail<S, T> {
    const SIGNATURE: &'static Signature = T::SIGNATURE;
}

impl<S, T> From<T> for Detail<S, T> {
    fn from(number: T) -> Self {
        Self(number, PhantomData)
    }
}

impl<S: Numbered, T: Type> Explained for Detail<S, T> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::Detail(S::NUMBERS), told);
    }
}

/// A count, a size, a time, or a number that something is known by: of no set.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Amount<T>(pub(crate) T);

impl<T: Type> Type for Amount<T> {
    const SIGNATURE: &'static Signature = T::SIGNATURE;
}

impl<T> From<T> for Amount<T> {
    fn from(amount: T) -> Self {
        Self(amount)
    }
}

impl<T> Argument for Amount<T> {
    type Checked = T;

    fn checked(self, _: &str) -> Result<T> {
        Ok(self.0)
    }
}

impl<T: Type> Explained for Amount<T> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        note(place, How::Amount, told);
    }
}

/// Types without a number that could be of a set.
macro_rules! no_numbers {
    ($($type:ty),* $(,)?) => { $(
        impl Explained for $type {
            fn tell(_: &mut Vec<usize>, _: &mut Vec<Told>) {}
        }
    )* };
}

no_numbers!(
    bool,
    u8,
    u64,
    i64,
    String,
    zbus::OwnedFd,
    zbus::OwnedObjectPath,
    Given,
    Parameters,
    Paths,
);

/// Arguments whose values are all taken.
macro_rules! as_they_are {
    ($($type:ty),* $(,)?) => { $(
        impl Argument for $type {
            type Checked = Self;

            fn checked(self, _: &str) -> Result<Self> {
                Ok(self)
            }
        }
    )* };
}

as_they_are!(bool, u8, u64, i64, String, zbus::OwnedFd, Given);

impl<T: Argument> Argument for Vec<T> {
    type Checked = Vec<T::Checked>;

    fn checked(self, member: &str) -> Result<Self::Checked> {
        self.into_iter().map(|one| one.checked(member)).collect()
    }
}

impl<A: Argument, B: Argument> Argument for (A, B) {
    type Checked = (A::Checked, B::Checked);

    fn checked(self, member: &str) -> Result<Self::Checked> {
        Ok((self.0.checked(member)?, self.1.checked(member)?))
    }
}

impl<T: Explained> Explained for Vec<T> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        T::tell(place, told);
    }
}

impl<K: Explained, V: Explained> Explained for Dict<K, V> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        <(K, V)>::tell(place, told);
    }
}

macro_rules! structures {
    ($(($($name:ident $at:literal),+);)*) => { $(
        impl<$($name: Explained),+> Explained for ($($name,)+) {
            fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
                $(
                    place.push($at);
                    $name::tell(place, told);
                    place.pop();
                )+
            }
        }
    )* };
}

structures! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
}
