//! A machine with three snapshots and two hard disks, as the tests want it.

use uuid::Uuid;

/// The file: written as VirtualBox would, with some things that nobody knows.
pub(crate) const MACHINE: &str = include_str!("../data/machine.vbox");

/// The UUID whose last digits are `n`.
pub(crate) const fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x5c9f_0000_1111_4222_8333_0000_0000_0000 + n)
}
