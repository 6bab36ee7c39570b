//! Content that is destroyed: passes over the whole volume, as the algorithms of libvirt ask for. Blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::rand::{GetRandomFlags, getrandom};
use virtbus_api::Result;
use virtbus_api::storage::StorageVolWipeAlgorithm as Algorithm;

use crate::copy::CHUNK;
use crate::error;

/// What one pass writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// These bytes, again and again.
    Pattern(&'static [u8]),
    /// Random ones.
    Random,
}

use Pass::{Pattern, Random};

const ZERO: Pass = Pattern(&[0]);
const ONES: Pass = Pattern(&[0xff]);

/// Patterns of Gutmann's method between its random passes.
const GUTMANN: [Pass; 35] = [
    Random,
    Random,
    Random,
    Random,
    Pattern(&[0x55]),
    Pattern(&[0xaa]),
    Pattern(&[0x92, 0x49, 0x24]),
    Pattern(&[0x49, 0x24, 0x92]),
    Pattern(&[0x24, 0x92, 0x49]),
    Pattern(&[0x00]),
    Pattern(&[0x11]),
    Pattern(&[0x22]),
    Pattern(&[0x33]),
    Pattern(&[0x44]),
    Pattern(&[0x55]),
    Pattern(&[0x66]),
    Pattern(&[0x77]),
    Pattern(&[0x88]),
    Pattern(&[0x99]),
    Pattern(&[0xaa]),
    Pattern(&[0xbb]),
    Pattern(&[0xcc]),
    Pattern(&[0xdd]),
    Pattern(&[0xee]),
    Pattern(&[0xff]),
    Pattern(&[0x92, 0x49, 0x24]),
    Pattern(&[0x49, 0x24, 0x92]),
    Pattern(&[0x24, 0x92, 0x49]),
    Pattern(&[0x6d, 0xb6, 0xdb]),
    Pattern(&[0xb6, 0xdb, 0x6d]),
    Pattern(&[0xdb, 0x6d, 0xb6]),
    Random,
    Random,
    Random,
    Random,
];

const BSI: [Pass; 9] = [
    Pattern(&[0xff]),
    Pattern(&[0xfe]),
    Pattern(&[0xfd]),
    Pattern(&[0xfb]),
    Pattern(&[0xf7]),
    Pattern(&[0xef]),
    Pattern(&[0xdf]),
    Pattern(&[0xbf]),
    Pattern(&[0x7f]),
];

/// The passes of an algorithm.
///
/// # Errors
/// `NoSupport` for those that are a device's affair.
pub(crate) fn passes(algorithm: Algorithm) -> Result<&'static [Pass]> {
    Ok(match algorithm {
        Algorithm::Zero => &[ZERO],
        // The last pass is what a reader would check.
        Algorithm::Nnsa => &[Random, Random, ZERO, ZERO],
        Algorithm::Dod => &[Random, ZERO, ONES, ONES],
        Algorithm::Bsi => &BSI,
        Algorithm::Gutmann => &GUTMANN,
        Algorithm::Schneier => &[ZERO, ONES, Random, Random, Random, Random, Random],
        Algorithm::Pfitzner7 => &[Random; 7],
        Algorithm::Pfitzner33 => &[Random; 33],
        Algorithm::Random => &[Random],
        Algorithm::Trim => {
            return Err(error::unsupported(
                "algorithm 'trim' is for devices that forget what they are told to; the volumes of this pool are files",
            ));
        }
    })
}

/// Does one pass over the whole file, up to the disk.
pub(crate) fn pass(file: &File, pass: Pass) -> io::Result<()> {
    let length = file.metadata()?.len();
    // A whole number of patterns of three bytes as well.
    let size = CHUNK / 3 * 3;
    let mut buffer = vec![0; size];
    if let Pattern(pattern) = pass {
        for (byte, from) in buffer.iter_mut().zip(pattern.iter().cycle()) {
            *byte = *from;
        }
    }
    let mut at = 0;
    while at < length {
        let now = usize::try_from(length - at).map_or(size, |left| left.min(size));
        if pass == Random {
            fill(&mut buffer[..now])?;
        }
        file.write_all_at(&buffer[..now], at)?;
        at += now as u64;
    }
    file.sync_all()
}

fn fill(mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let there = getrandom(&mut *bytes, GetRandomFlags::empty())?;
        bytes = &mut bytes[there..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_covers_the_whole_file() {
        for algorithm in [Algorithm::Zero, Algorithm::Bsi, Algorithm::Schneier] {
            let file = tempfile::tempfile().unwrap();
            let length = CHUNK + 5;
            file.write_all_at(&vec![b'x'; length], 0).unwrap();
            for one in passes(algorithm).unwrap() {
                pass(&file, *one).unwrap();
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, 0).unwrap();
                match one {
                    Pattern(pattern) => {
                        assert!(
                            bytes
                                .iter()
                                .zip(pattern.iter().cycle())
                                .all(|(is, should)| is == should)
                        );
                    }
                    Random => assert!(bytes.windows(64).all(|part| part != [b'x'; 64])),
                }
            }
        }
        assert!(passes(Algorithm::Trim).is_err());
        assert_eq!(passes(Algorithm::Gutmann).unwrap().len(), 35);
    }
}
