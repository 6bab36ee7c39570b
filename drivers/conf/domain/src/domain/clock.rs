//! The guest's clock and timers.

use virtbus_xml::{
    Content, Describe, ErrorKind, Flags, Node, Result, Text, Value, Writer, Xml, YesNo, xml_names,
};

xml_names! {
    /// What a variable offset is relative to.
    pub enum ClockBasis {
        Utc = "utc",
        Localtime = "localtime",
    }
}

/// How far the clock of a guest is from UTC or local time, if it was set back at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockAdjustment {
    /// Set to the host's time at each start.
    Reset,
    /// This many seconds ahead: reads as a variable offset.
    Seconds(i64),
}

impl Value for ClockAdjustment {
    fn from_text(text: &str) -> Option<Self> {
        if text == "reset" {
            Some(Self::Reset)
        } else {
            i64::from_text(text).map(Self::Seconds)
        }
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Self::Reset => out.push_str("reset"),
            Self::Seconds(seconds) => seconds.write_to(out),
        }
    }

    fn expected() -> std::borrow::Cow<'static, str> {
        "'reset' or a number of seconds".into()
    }
}

/// A clock that starts with the host's time.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FollowingClock {
    /// `reset` starts with the host's time each time, forgetting what the guest set; a number of seconds makes the
    /// clock a `variable` one.
    #[xml(attr)]
    pub adjustment: Option<ClockAdjustment>,
}

/// A clock that keeps the difference that the guest sets.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VariableClock {
    /// Difference from the basis in seconds; updated when the guest sets its clock.
    #[xml(attr)]
    pub adjustment: Option<i64>,
    /// What the difference is relative to: `utc` or `localtime`.
    #[xml(attr, absent = "utc")]
    pub basis: Option<ClockBasis>,
    /// Difference in seconds with which the guest was started; status only.
    #[xml(attr, when = has_initial)]
    pub adjustment0: Option<i64>,
}

fn has_initial(_: &VariableClock, flags: Flags) -> bool {
    flags.contains(Flags::CLOCK_ADJUST)
}

/// A clock that shows the time of a time zone.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneClock {
    /// Name of the time zone, such as `Europe/Berlin`; the host's if absent.
    #[xml(attr)]
    pub timezone: Option<Text>,
}

/// A clock that starts at a fixed time, whenever the guest is started.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AbsoluteClock {
    /// Time at start, in seconds since 1970 UTC.
    #[xml(attr)]
    pub start: u64,
}

/// Time with which the guest's clock starts.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "offset")]
pub enum ClockOffset {
    /// The clock shows UTC.
    #[xml("utc", default)]
    Utc(FollowingClock),
    /// The clock shows the host's local time.
    #[xml("localtime")]
    Localtime(FollowingClock),
    /// The clock keeps a difference from UTC or local time that the guest can set.
    #[xml("variable")]
    Variable(VariableClock),
    /// The clock shows the time of a time zone.
    #[xml("timezone")]
    Timezone(ZoneClock),
    /// The clock starts at a fixed time.
    #[xml("absolute")]
    Absolute(AbsoluteClock),
}

xml_names! {
    /// A timer device or source.
    pub enum TimerName {
        Platform = "platform",
        Pit = "pit",
        Rtc = "rtc",
        Hpet = "hpet",
        Tsc = "tsc",
        Kvmclock = "kvmclock",
        Hypervclock = "hypervclock",
        Armvtimer = "armvtimer",
    }
}

xml_names! {
    /// What a timer follows.
    pub enum TimerTrack {
        Boot = "boot",
        Guest = "guest",
        Wall = "wall",
        Realtime = "realtime",
    }
}

xml_names! {
    /// What happens to ticks that the guest missed.
    pub enum TickPolicy {
        Delay = "delay",
        Catchup = "catchup",
        Merge = "merge",
        Discard = "discard",
    }
}

xml_names! {
    /// How the time stamp counter is made.
    pub enum TimerMode {
        Auto = "auto",
        Native = "native",
        Emulate = "emulate",
        Paravirt = "paravirt",
        Smpsafe = "smpsafe",
    }
}

/// `<catchup>`: how missed ticks are made up for with `tickpolicy='catchup'`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Catchup {
    /// Number of missed ticks at which catching up begins; 0 in any of the three means the hypervisor's default.
    #[xml(attr, unset = 0)]
    pub threshold: Option<u64>,
    /// Rate at which missed ticks are delivered; the hypervisor defines the unit.
    #[xml(attr, unset = 0)]
    pub slew: Option<u64>,
    /// Largest number of ticks to catch up.
    #[xml(attr, unset = 0)]
    pub limit: Option<u64>,
}

/// `<timer>`: one timer device or time source of the guest.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Name of the timer, such as `rtc`, `hpet`, `tsc` or `kvmclock`.
    #[xml(attr)]
    pub name: TimerName,
    /// Whether the guest has the timer; the hypervisor decides if absent.
    #[xml(attr)]
    pub present: Option<YesNo>,
    /// What happens to ticks that were missed: `delay` delivers them at normal rate, `catchup` faster, `merge` as one,
    /// `discard` never.
    #[xml(attr)]
    pub tickpolicy: Option<TickPolicy>,
    /// Clock that the timer follows: `boot`, `guest`, `wall` or `realtime`; `rtc` and `platform` only.
    #[xml(attr)]
    pub track: Option<TimerTrack>,
    /// Frequency of the time stamp counter in Hz; 0 or absent means the host's.
    #[xml(attr, unset = 0)]
    pub frequency: Option<u64>,
    /// How the time stamp counter is provided: `auto`, `native`, `emulate`, `paravirt` or `smpsafe`.
    #[xml(attr)]
    pub mode: Option<TimerMode>,
    /// Details of catching up; with `tickpolicy='catchup'` only.
    #[xml(child, skip_empty)]
    pub catchup: Option<Box<Catchup>>,
}

/// `<clock>`: the guest's clock and its timers.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Time with which the guest's clock starts.
    #[xml(flat)]
    pub offset: ClockOffset,
    /// Timers of the guest; those not listed are as the hypervisor has them.
    #[xml(child)]
    pub timer: Vec<Timer>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset: ClockOffset::Utc(FollowingClock::default()),
            timer: Vec::new(),
        }
    }
}

impl Content for Clock {
    fn parse(node: Node<'_>) -> Result<Self> {
        let mut offset = ClockOffset::parse(node)?;
        // A number of seconds turns a following clock into a variable one.
        let adjusted = match &offset {
            ClockOffset::Utc(clock) => Some((clock.adjustment, ClockBasis::Utc)),
            ClockOffset::Localtime(clock) => Some((clock.adjustment, ClockBasis::Localtime)),
            _ => None,
        };
        if let Some((Some(ClockAdjustment::Seconds(seconds)), basis)) = adjusted {
            offset = ClockOffset::Variable(VariableClock {
                adjustment: Some(seconds),
                basis: Some(basis),
                adjustment0: None,
            });
        }
        if let ClockOffset::Timezone(ZoneClock { timezone: None }) = offset {
            return Err(node.attr_error(
                "timezone",
                ErrorKind::Missing,
                "must be given with offset='timezone'",
            ));
        }
        Ok(Self {
            offset,
            timer: node.child_vec("timer")?,
        })
    }

    fn attrs(&self, w: &mut Writer) {
        self.offset.attrs(w);
    }

    fn children(&self, w: &mut Writer) {
        for timer in &self.timer {
            w.element("timer", timer);
        }
    }
}
