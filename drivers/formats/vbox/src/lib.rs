//! The machine settings file of VirtualBox (`.vbox`): read into a value, changed, written back.
//!
//! [`Settings`] holds the whole file as it is written. What the driver needs of it is found by methods: the machine's own
//! attributes, the registry of hard disks, and the snapshots. A change touches the elements and attributes that it is about;
//! everything else, known or not, is written back byte for byte. What a change leaves is always a file that can be read again,
//! or the change is refused and nothing has happened.
//!
//! Nothing in here opens a file, asks VirtualBox, or decides what the settings of a machine should be.

#![forbid(unsafe_code)]

mod check;
mod element;
mod encoding;
mod error;
mod layout;
mod media;
mod scan;
mod settings;
mod snapshot;
mod time_stamp;
mod tree;

pub use element::Element;
pub use error::Error;
pub use media::{HardDisk, NewHardDisk};
pub use settings::Settings;
pub use snapshot::{NewSnapshot, Snapshot};

/// The name space of the file's elements.
pub const NAMESPACE: &str = "http://www.innotek.de/VirtualBox-settings";
