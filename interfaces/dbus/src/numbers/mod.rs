//! Numbers in arguments and answers: each type here says what its numbers are.
//!
//! Members declare their arguments with the types of [`types`], so what documents say of a number ([`Explained`]) and what a call
//! accepts ([`Argument`]) come from one declaration. A bare `i32` or `u32` is neither: a member with a number that nobody explains
//! cannot be written.

mod types;

use virtbus_api::Result;
use virtbus_api::numbers::{Fields, Numbers};
use zbus::Type;

use crate::declare::Interface;
use crate::paths::Paths;
use crate::value::{Dict, Given, Parameters};

pub(crate) use types::{Amount, AnyFlags, Detail, Flags, NoFlags, One, ParameterFlags};

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
    /// In typed parameters, the name of the one that it is; `N` stands for any number.
    pub field: Option<&'static str>,
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
        Some(match (self.field, self.ordinal()) {
            (Some(field), _) => format!("{field}: {brief}"),
            (None, Some(ordinal)) => format!("Value {ordinal}: {brief}"),
            (None, None) => brief,
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
    told.push(Told {
        place: place.to_owned(),
        field: None,
        how,
    });
}

impl<F: Fields> Explained for Parameters<F> {
    fn tell(place: &mut Vec<usize>, told: &mut Vec<Told>) {
        told.extend(F::FIELDS.iter().map(|field| Told {
            place: place.clone(),
            field: Some(field.name),
            how: if field.is_detail {
                How::Detail(field.numbers)
            } else {
                How::One(field.numbers)
            },
        }));
    }
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

    /// Whether it is the flags of a call.
    const IS_FLAGS: bool = false;

    /// The flags, 0 if it is something else.
    fn flags(&self) -> u32 {
        0
    }

    /// The number that a rule compares.
    fn number(&self) -> u32 {
        0
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

as_they_are!(
    bool,
    u8,
    u64,
    i64,
    String,
    zbus::OwnedFd,
    zbus::OwnedObjectPath,
    Given
);

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
