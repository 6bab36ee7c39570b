//! Bandwidth as typed parameters, as libvirt names them.

use virtbus_api::typed::{TypedParameter, TypedParameters, TypedValue};
use virtbus_api::{Error, Result};
use virtbus_conf_base::common::{Bandwidth, BandwidthRate};

/// What is limited in one direction.
type Member = fn(&mut BandwidthRate) -> &mut Option<u64>;

/// The parameters: name, whether it is about what is sent to guests, and which part.
const PARAMETERS: [(&str, bool, Member); 7] = [
    ("inbound.average", true, |rate| &mut rate.average),
    ("inbound.peak", true, |rate| &mut rate.peak),
    ("inbound.floor", true, |rate| &mut rate.floor),
    ("inbound.burst", true, |rate| &mut rate.burst),
    ("outbound.average", false, |rate| &mut rate.average),
    ("outbound.peak", false, |rate| &mut rate.peak),
    ("outbound.burst", false, |rate| &mut rate.burst),
];

fn direction(limits: &mut Bandwidth, inbound: bool) -> &mut Option<BandwidthRate> {
    if inbound {
        &mut limits.inbound
    } else {
        &mut limits.outbound
    }
}

/// What is limited, 0 for what is not.
pub(super) fn of(limits: Option<&Bandwidth>) -> TypedParameters {
    let mut limits = limits.cloned().unwrap_or_default();
    let value = |(name, inbound, member): &(&str, bool, Member)| {
        let rate = direction(&mut limits, *inbound).get_or_insert_default();
        let value = u32::try_from(member(rate).unwrap_or(0)).unwrap_or(u32::MAX);
        TypedParameter::new(*name, value)
    };
    PARAMETERS.iter().map(value).collect()
}

/// The limits with these parameters set; 0 takes a limit away.
///
/// # Errors
/// `InvalidArg` for a parameter that there is not, of another type, or given twice, and for a rate without an average.
pub(super) fn set(
    limits: Option<&Bandwidth>,
    parameters: &TypedParameters,
) -> Result<Option<Bandwidth>> {
    let mut limits = limits.cloned().unwrap_or_default();
    for (at, parameter) in parameters.iter().enumerate() {
        let name = &parameter.field;
        let known = PARAMETERS.iter().find(|(known, ..)| known == name);
        let Some((_, inbound, member)) = known else {
            return Err(Error::invalid_argument(format!(
                "unknown parameter '{name}' of a network port"
            )));
        };
        let TypedValue::UInt(value) = parameter.value else {
            return Err(Error::invalid_argument(format!(
                "the parameter '{name}' must be an unsigned number of 32 bits"
            )));
        };
        if parameters
            .iter()
            .skip(at + 1)
            .any(|other| other.field == *name)
        {
            return Err(Error::invalid_argument(format!(
                "the parameter '{name}' is given twice"
            )));
        }
        let rate = direction(&mut limits, *inbound).get_or_insert_default();
        *member(rate) = (value > 0).then(|| u64::from(value));
    }
    for inbound in [true, false] {
        let rate = direction(&mut limits, inbound);
        if *rate == Some(BandwidthRate::default()) {
            *rate = None;
        }
        let lacks_average = |rate: &BandwidthRate| {
            rate.average.is_none()
                && (rate.peak.is_some() || rate.burst.is_some() || rate.floor.is_none())
        };
        if rate.as_ref().is_some_and(lacks_average) {
            let way = if inbound { "inbound" } else { "outbound" };
            return Err(Error::invalid_argument(format!(
                "'{way}.average' must be given with '{way}.peak' and '{way}.burst'"
            )));
        }
    }
    Ok((limits != Bandwidth::default()).then_some(limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: u32) -> TypedParameters {
        vec![TypedParameter::new(name, value)]
    }

    #[test]
    fn limits_are_set_told_and_taken_away() {
        let set_one = set(None, &given("inbound.average", 100)).unwrap().unwrap();
        let told = of(Some(&set_one));
        assert_eq!(told.len(), 7);
        assert_eq!(told[0], TypedParameter::new("inbound.average", 100_u32));
        assert_eq!(told[4], TypedParameter::new("outbound.average", 0_u32));
        assert_eq!(
            set(Some(&set_one), &given("inbound.average", 0)).unwrap(),
            None
        );
        for wrong in [
            "inbound.peak",
            "outbound.burst",
            "outbound.floor",
            "average",
            "",
        ] {
            set(None, &given(wrong, 5)).unwrap_err();
        }
        let text = vec![TypedParameter::new("inbound.average", "5")];
        set(None, &text).unwrap_err();
        let twice = [given("inbound.average", 5), given("inbound.average", 6)].concat();
        set(None, &twice).unwrap_err();
        let floor = set(None, &given("inbound.floor", 5)).unwrap().unwrap();
        assert_eq!(floor.inbound.unwrap().floor, Some(5));
    }
}
