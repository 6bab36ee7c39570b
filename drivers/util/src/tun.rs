//! Tap devices as descriptors: whoever has one sends and receives as the device's other end, without a right of its own.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;
use rustix::fs::{Mode, OFlags};

/// The device by which the kernel hands out tap devices.
const CLONE: &str = "/dev/net/tun";

/// Opens a tap device that is there. Frames have the header of virtio (`IFF_VNET_HDR`), as QEMU finds out by itself.
///
/// # Errors
/// `InvalidInput` if this is no name of a device; that there are no tap devices here (`/dev/net/tun`), that the name is another kind of device's, or
/// that the device is in use.
pub fn open(name: &str) -> io::Result<OwnedFd> {
    let mut ifr_name: [libc::c_char; libc::IFNAMSIZ] = [0; libc::IFNAMSIZ];
    // The last byte ends the name.
    if name.is_empty() || name.len() >= ifr_name.len() || name.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let ifru_flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
    let request = libc::ifreq {
        ifr_name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags },
    };
    let fd = rustix::fs::open(CLONE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // SAFETY: the descriptor is open, and the kernel reads and writes no more than the request, which outlives the call. There is no safe
    // call for it.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    nix::errno::Errno::result(result)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_of_a_device_is_refused() {
        for name in ["", "a-name-of-16-byt", "a\0b"] {
            let refused = open(name).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }
}
