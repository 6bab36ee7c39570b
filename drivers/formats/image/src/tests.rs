//! Images as real tools make them, and as nobody should.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use virtbus_util::cmd::Cmd;

use super::*;

/// A header of qcow2, version 3, with a backing file and its format.
fn qcow2(name: &[u8], extensions: &[(u32, &[u8])], incompatible: u64) -> Vec<u8> {
    let mut head = vec![0; 104];
    head[..4].copy_from_slice(b"QFI\xfb");
    head[4..8].copy_from_slice(&3_u32.to_be_bytes());
    head[20..24].copy_from_slice(&16_u32.to_be_bytes());
    head[24..32].copy_from_slice(&(5_u64 << 30).to_be_bytes());
    head[72..80].copy_from_slice(&incompatible.to_be_bytes());
    head[100..104].copy_from_slice(&104_u32.to_be_bytes());
    for (kind, data) in extensions {
        head.extend(kind.to_be_bytes());
        head.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        head.extend(*data);
        head.resize(head.len().next_multiple_of(8), 0);
    }
    head.extend([0; 8]);
    let at = head.len() as u64;
    if !name.is_empty() {
        head[8..16].copy_from_slice(&at.to_be_bytes());
        head[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        head.extend(name);
    }
    head
}

#[test]
fn qcow2_tells_what_it_is_based_on_and_where_its_data_is() {
    let bytes = qcow2(
        b"base.img",
        &[
            (0x6803_f857, b"unknown"),
            (0xe279_2aca, b"raw"),
            (0x4441_5441, b"data.raw"),
        ],
        1 << 2 | 1 << 4,
    );
    assert_eq!(probe(&bytes[..]).unwrap(), Format::Qcow2);
    let image = read(&bytes[..], Format::Qcow2).unwrap();
    let named = |name: &str| {
        let (name, format) = (name.to_owned(), Some("raw".to_owned()));
        Some(Reference { name, format })
    };
    assert_eq!(image.virtual_size, Some(5 << 30));
    assert_eq!(image.backing, named("base.img"));
    assert_eq!(image.data_file, named("data.raw"));
    assert!(image.extended_l2 && !image.lazy_refcounts);
    assert_eq!(
        (image.compat, image.cluster_size),
        (Some("1.1"), Some(1 << 16))
    );
}

#[test]
fn what_cannot_be_in_a_header_of_qcow2_is_refused() {
    let good = qcow2(b"base", &[], 0);
    let changed = |at: usize, bytes: &[u8]| {
        let mut header = good.clone();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        read(&header[..], Format::Qcow2)
    };
    for (at, bytes) in [
        (0, &b"X"[..]),
        (4, &9_u32.to_be_bytes()),
        (8, &u64::MAX.to_be_bytes()),
        (16, &2000_u32.to_be_bytes()),
        (16, &u32::MAX.to_be_bytes()),
        (20, &63_u32.to_be_bytes()),
        (24, &u64::MAX.to_be_bytes()),
        (32, &7_u32.to_be_bytes()),
        (100, &u32::MAX.to_be_bytes()),
    ] {
        assert!(changed(at, bytes).is_err(), "{at}: {bytes:?}");
    }
    assert!(read(&good[..50], Format::Qcow2).is_err());
    assert!(read(&good[..good.len() - 1], Format::Qcow2).is_err());
    // The data is elsewhere, and nobody knows where.
    assert!(read(&qcow2(b"", &[], 1 << 2)[..], Format::Qcow2).is_err());
}

#[test]
fn a_raw_disk_stays_raw_whatever_a_guest_writes_to_it() {
    let bytes = qcow2(b"/etc/shadow", &[], 0);
    assert_eq!(
        read(&bytes[..], Format::Raw).unwrap(),
        Image::of(Format::Raw)
    );
}

/// Makes an image with the real tool; nothing if there is none.
fn made(dir: &Path, format: &str, arguments: &[&str]) -> Option<File> {
    let path = dir.join(format!("image.{format}"));
    let mut cmd = Cmd::new("/usr/bin/qemu-img");
    cmd.args(["create", "-q", "-f", format]).args(arguments);
    let done = cmd.arg(&path).arg("3M").run(Duration::from_secs(60));
    match tokio::runtime::Runtime::new().unwrap().block_on(done) {
        Ok(_) => {}
        Err(error) if error.is_missing_program() => return None,
        Err(error) => panic!("{error}"),
    }
    Some(File::open(path).unwrap())
}

#[test]
fn images_of_the_real_tool_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("base"), [0; 4096]).unwrap();
    let base = dir.path().join("base");
    let based: &[&str] = &["-F", "raw", "-b", base.to_str().unwrap()];
    for (format, arguments) in [
        (Format::Raw, &[][..]),
        (Format::Qcow2, based),
        (Format::Qcow2, &["-o", "compat=0.10"]),
        (Format::Qcow2, &["-o", "extended_l2=on,lazy_refcounts=on"]),
        (Format::Qcow, &[]),
        (Format::Qed, based),
        (Format::Vdi, &[]),
        (Format::Vpc, &["-o", "force_size=on"]),
        (Format::Vmdk, &[]),
        (Format::Vhdx, &[]),
    ] {
        let Some(file) = made(dir.path(), format.as_str(), arguments) else {
            continue;
        };
        assert_eq!(probe(&file).unwrap(), format);
        let image = read(&file, format).unwrap();
        if !matches!(format, Format::Raw | Format::Vhdx) {
            assert_eq!(image.virtual_size, Some(3 << 20), "{format:?}");
        }
        if arguments == based {
            let backing = image.backing.unwrap();
            assert_eq!(Path::new(&backing.name), base);
            assert_eq!(backing.format.as_deref(), Some("raw"));
        }
    }
}

#[test]
fn short_headers_are_read() {
    let mut luks = vec![0; 592];
    luks[..8].copy_from_slice(b"LUKS\xba\xbe\0\x01");
    luks[104..108].copy_from_slice(&4096_u32.to_be_bytes());
    assert_eq!(probe(&luks[..]).unwrap(), Format::Luks);
    let image = read(&luks[..], Format::Luks).unwrap();
    assert_eq!(image.encryption, Some(Encryption::Luks(1)));
    assert_eq!(luks_payload(&luks[..]).unwrap(), Some(2 << 20));

    let mut iso = vec![0; 17 * 2048];
    iso[16 * 2048..16 * 2048 + 6].copy_from_slice(b"\x01CD001");
    assert_eq!(probe(&iso[..]).unwrap(), Format::Iso);
    assert!(read(&iso[..], Format::Iso).is_ok());

    let mut vmdk = vec![0; 1024];
    vmdk[..8].copy_from_slice(b"KDMV\x01\0\0\0");
    vmdk[12..20].copy_from_slice(&8_u64.to_le_bytes());
    vmdk[28..36].copy_from_slice(&1_u64.to_le_bytes());
    vmdk[36..44].copy_from_slice(&1_u64.to_le_bytes());
    let text = b"CID=1\nparentFileNameHint=\"base.vmdk\"\n";
    vmdk[512..512 + text.len()].copy_from_slice(text);
    let image = read(&vmdk[..], Format::Vmdk).unwrap();
    assert_eq!(image.virtual_size, Some(4096));
    assert_eq!(image.backing.unwrap().name, "base.vmdk");
}

/// Bytes that begin like an image, with anything behind.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let beginnings = prop_oneof![
        Just(b"QFI\xfb\0\0\0\x01".to_vec()),
        Just(qcow2(b"base", &[(0xe279_2aca, b"qcow2")], 4)),
        Just(b"QED\0\0\0\x01\0".to_vec()),
        Just(b"KDMV\x01\0\0\0".to_vec()),
        Just(b"conectix".to_vec()),
        Just(b"LUKS\xba\xbe\0\x02".to_vec()),
        Just(b"OOOM".to_vec()),
        Just(Vec::new()),
    ];
    let changes = proptest::collection::vec((0_usize..400, any::<u8>()), 0..12);
    let tail = proptest::collection::vec(any::<u8>(), 0..1200);
    (beginnings, changes, tail).prop_map(|(mut bytes, changes, tail)| {
        bytes.extend(tail);
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_image_makes_the_reader_panic_or_gives_a_name_without_limit(bytes in hostile()) {
        let _ = probe(&bytes[..]).unwrap();
        for format in Format::ALL {
            if let Ok(image) = read(&bytes[..], *format) {
                assert!(image.virtual_size.is_none_or(|size| i64::try_from(size).is_ok()));
                for name in [image.backing, image.data_file].into_iter().flatten() {
                    assert!(name.name.len() <= 1024 && !name.name.contains('\0'));
                }
            }
        }
    }
}
