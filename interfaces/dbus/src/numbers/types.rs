//! Types for the numbers in arguments and answers: flags, one of a set, what depends on another number, and amounts.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use virtbus_api::domain::{Checked, check, retain};
use virtbus_api::numbers::{Choice, Numbered};
use virtbus_api::typed::TypedParameterFlags;
use virtbus_api::{Error, Result};
use zbus::{Signature, Type};

use super::{Argument, Explained, How, Told, note};

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

    const IS_FLAGS: bool = true;

    fn flags(&self) -> u32 {
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
            "unsupported flags {:#x} for {member}",
            self.0
        )))
    }

    const IS_FLAGS: bool = true;

    fn flags(&self) -> u32 {
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

    const IS_FLAGS: bool = true;

    fn flags(&self) -> u32 {
        self.0.flags() & !TypedParameterFlags::STRING_OKAY.bits()
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

/// Groups of the set `S` that are asked for, of which those that nobody knows mean nothing.
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

impl<S: Numbered<Value = S> + Choice> From<S> for One<S, u32> {
    fn from(value: S) -> Self {
        // Sets that are unsigned on the wire have no number below 0.
        Self(value.number().unsigned_abs(), PhantomData)
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

#[cfg(test)]
mod tests {
    use virtbus_api::ErrorCode;
    use virtbus_api::domain::{DomainModificationImpact, DomainStatsTypes, MetadataType};
    use virtbus_api::network::NetworkUpdateFlags;

    use super::*;

    const fn flags<S>(bits: u32) -> Flags<S> {
        Flags(bits, PhantomData)
    }

    fn refused<T>(answer: Result<T>) -> String {
        let error = answer.err().expect("it is refused");
        assert_eq!(error.code, ErrorCode::InvalidArg);
        error.message
    }

    #[test]
    fn unknown_flags_are_refused_by_the_members_name() {
        let both = flags::<NetworkUpdateFlags>(3).checked("Update").unwrap();
        assert_eq!(both, DomainModificationImpact::all());
        let unknown = refused(flags::<NetworkUpdateFlags>(6).checked("Update"));
        assert!(unknown.contains("unsupported flags 0x4 for Update"));
        NoFlags(0).checked("Reset").unwrap();
        assert!(refused(NoFlags(1).checked("Reset")).contains("0x1"));
    }

    #[test]
    fn that_texts_may_come_is_a_flag_of_typed_parameters_only() {
        let impact = ParameterFlags(flags::<DomainModificationImpact>(6));
        let impact = impact.checked("GetBlockIOTune").unwrap();
        assert_eq!(impact, DomainModificationImpact::CONFIG);
        ParameterFlags(NoFlags(4)).checked("BlockStats").unwrap();
        refused(ParameterFlags(NoFlags(8)).checked("BlockStats"));
    }

    #[test]
    fn groups_that_nobody_knows_are_handed_on() {
        let groups = AnyFlags::<DomainStatsTypes>(1 | 1 << 20, PhantomData);
        let groups = groups.checked("GetStats").unwrap();
        assert_eq!(groups.bits(), 1 | 1 << 20);
    }

    #[test]
    fn values_that_there_are_not_are_refused_with_those_that_there_are() {
        let title = One::<MetadataType>::given(1).checked("SetMetadata");
        assert_eq!(title.unwrap(), MetadataType::Title);
        let refused = refused(One::<MetadataType>::given(3).checked("SetMetadata"));
        assert_eq!(
            refused,
            "invalid virDomainMetadataType 3 (supported: 0, 1, 2)"
        );
    }
}
