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

/// A clock that follows the host's.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct FollowingClock {
    /// What to do about drift that the guest has asked for.
    #[xml(attr)]
    pub adjustment: Option<ClockAdjustment>,
}

/// A clock that keeps what the guest sets it to.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct VariableClock {
    /// Seconds ahead of the basis.
    #[xml(attr)]
    pub adjustment: Option<i64>,
    /// What it is relative to.
    #[xml(attr, absent = "utc")]
    pub basis: Option<ClockBasis>,
    /// The adjustment at start; status only.
    #[xml(attr, when = has_initial)]
    pub adjustment0: Option<i64>,
}

fn has_initial(_: &VariableClock, flags: Flags) -> bool {
    flags.contains(Flags::CLOCK_ADJUST)
}

/// A clock in a fixed time zone.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneClock {
    /// Name of the zone.
    #[xml(attr)]
    pub timezone: Option<Text>,
}

/// A clock that starts at a fixed time.
#[derive(Xml, Debug, Clone, Default, PartialEq, Eq)]
pub struct AbsoluteClock {
    /// Seconds since 1970.
    #[xml(attr)]
    pub start: u64,
}

/// `offset` of the clock.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
#[xml(tag = "offset")]
pub enum ClockOffset {
    /// UTC.
    #[xml("utc", default)]
    Utc(FollowingClock),
    /// The host's local time.
    #[xml("localtime")]
    Localtime(FollowingClock),
    /// Set by the guest.
    #[xml("variable")]
    Variable(VariableClock),
    /// Local time elsewhere.
    #[xml("timezone")]
    Timezone(ZoneClock),
    /// Starts at a fixed time.
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

/// `<catchup>`.
#[derive(Xml, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Catchup {
    /// Ticks that may be missed; 0 is the hypervisor's choice, as in all three.
    #[xml(attr, unset = 0)]
    pub threshold: Option<u64>,
    /// Speed of catching up.
    #[xml(attr, unset = 0)]
    pub slew: Option<u64>,
    /// Most ticks to catch up.
    #[xml(attr, unset = 0)]
    pub limit: Option<u64>,
}

/// `<timer>`.
#[derive(Xml, Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Which.
    #[xml(attr)]
    pub name: TimerName,
    /// Whether the guest has it.
    #[xml(attr)]
    pub present: Option<YesNo>,
    /// Missed ticks.
    #[xml(attr)]
    pub tickpolicy: Option<TickPolicy>,
    /// What it follows.
    #[xml(attr)]
    pub track: Option<TimerTrack>,
    /// Frequency of the time stamp counter in Hz; 0 is the host's.
    #[xml(attr, unset = 0)]
    pub frequency: Option<u64>,
    /// How the time stamp counter is made.
    #[xml(attr)]
    pub mode: Option<TimerMode>,
    /// How to catch up.
    #[xml(child, skip_empty)]
    pub catchup: Option<Box<Catchup>>,
}

/// `<clock>`.
#[derive(Describe, Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// How it relates to the host's.
    #[xml(flat)]
    pub offset: ClockOffset,
    /// Timers.
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
