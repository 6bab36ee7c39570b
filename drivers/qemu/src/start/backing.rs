//! What images name by themselves: the files on which they are based.
//!
//! The owner of an image writes into it what he likes: a folder, another guest's socket, a server. QEMU has rights that he has not, so it
//! follows no such name where guests have a user of their own. The names are read here, those of files are told to QEMU one by one down
//! to the last, and all others are refused. Nothing else is done for such a file: it is not given to the guest, whose user must be able
//! to read it as it is. A guest writes its image's header, and would be given any file that it names there.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use virtbus_api::security::{FileId, Prepared};
use virtbus_api::{Error, ErrorCode, ErrorDomain, Result};
use virtbus_conf_domain::domain::Domain as Definition;
use virtbus_conf_storage::storage::{ChainEnd, ImageFormat, StorageSource};
use virtbus_util::file::acting::{self, Beneficiary};
use virtbus_util::file::{Found, walk, walk_to_place};

use crate::command::{Backing, BackingLayer};
use crate::outside::blocking;
use crate::prepare::Preparer;

/// Header, extensions and the name of the backing file are in the first cluster, and before this.
const HEADER: usize = 64 << 10;

/// QEMU takes no longer names.
const LONGEST_NAME: usize = 1023;

/// More files than this on top of each other are refused: they go round in a circle, or read at a crawl.
const MOST_LAYERS: usize = 100;

const QCOW: &[u8] = b"QFI\xfb";
const QED: &[u8] = b"QED\0";
const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
/// Incompatible feature of qcow2: the guest's data is in another file.
const FEATURE_DATA_FILE: u64 = 1 << 2;

/// An image of the definition.
struct Image {
    path: PathBuf,
    format: ImageFormat,
    /// Whether the definition leaves open on what it is based.
    is_open: bool,
}

/// Looks at the images of a definition.
///
/// # Errors
/// `ConfigUnsupported` for an image that names something other than a file of a known format, or that cannot be read. One that is not
/// there is passed over: the guest's files are looked at after this, and then it is told why.
pub(super) async fn look(
    definition: &Definition,
    whose: Beneficiary,
    preparer: &Preparer,
) -> Result<Vec<Backing>> {
    let mut images = Vec::new();
    for disk in &definition.devices.disk {
        let top = (&disk.source, disk.format());
        let layers = (disk.backing.layers.iter()).map(|layer| {
            let format = layer.format.as_ref().map(|format| format.kind);
            (&layer.source, format)
        });
        let last = disk.backing.layers.len();
        for (depth, (source, format)) in std::iter::once(top).chain(layers).enumerate() {
            let Some(format) = format.filter(|format| format.has_backing()) else {
                continue;
            };
            if let StorageSource::File(_) | StorageSource::Block(_) = source
                && let Some(path) = source.path()
            {
                images.push(Image {
                    path: PathBuf::from(path),
                    format,
                    is_open: depth == last && disk.backing.end != ChainEnd::Complete,
                });
            }
        }
    }
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let (user, security) = (preparer.acting().cloned(), preparer.security());
    let guests = user.as_ref().map(|user| user.uid);
    blocking(move || {
        let unanswered = |error| Error::chain(ErrorCode::SystemError, ErrorDomain::Qemu, &error);
        // The images are the guest's own, so that the daemon may look at them. What is below them may be anything.
        let owner = move |path: &Path, owner| {
            // It is the guests' while another guest has it, or where the host was switched off meanwhile. What is that user's for good is
            // all guests'.
            if Some(owner) == guests {
                security.owner_before(path)
            } else {
                Some(owner)
            }
        };
        let look = move |image| Top::look(image, &owner);
        let tops = move || images.into_iter().map(look).collect::<Result<Vec<_>>>();
        let tops = acting::act(whose, None, acting::PATIENCE, tops).map_err(unanswered)??;
        if !tops.iter().any(Top::names_another) {
            return Ok(tops.into_iter().map(Top::alone).collect());
        }
        let follow = move || tops.into_iter().map(Top::follow).collect();
        acting::act(whose, user.as_ref(), acting::PATIENCE, follow).map_err(unanswered)?
    })
    .await
}

/// Whether the files that were prepared for the guest are the ones that were looked at here: who may exchange the directory of an image
/// could have had another one looked at.
///
/// # Errors
/// `OperationFailed` if one is another.
pub(super) fn check(held: Box<dyn Prepared>, looked_at: &[Backing]) -> Result<Box<dyn Prepared>> {
    for backing in looked_at {
        let found = id(&held.descriptor(&backing.image)?)?;
        if backing.file != Some(found) {
            let image = backing.image.display();
            let message = format!("'{image}' was exchanged while the guest was being started");
            return Err(Error::new(
                ErrorCode::OperationFailed,
                ErrorDomain::Qemu,
                message,
            ));
        }
    }
    Ok(held)
}

/// Which file a descriptor stands for.
pub(super) fn id(file: &OwnedFd) -> Result<FileId> {
    let facts = rustix::fs::fstat(file).map_err(|errno| {
        let message = format!("a file of the guest cannot be looked at: {errno}");
        Error::new(ErrorCode::SystemError, ErrorDomain::Qemu, message)
    })?;
    Ok(id_of(&facts))
}

const fn id_of(facts: &Stat) -> FileId {
    FileId {
        device: facts.st_dev,
        inode: facts.st_ino,
    }
}

/// An image of the definition whose header was read.
struct Top {
    path: PathBuf,
    is_open: bool,
    /// Which file it is; none if it cannot be looked at.
    file: Option<FileId>,
    /// Who made it, if that is known.
    owner: Option<u32>,
    header: Vec<u8>,
}

impl Top {
    /// Looks at an image; `owner` tells who made what this user has.
    fn look(image: Image, owner: impl Fn(&Path, u32) -> Option<u32>) -> Result<Self> {
        let Image {
            path,
            format,
            is_open,
        } = image;
        let mut top = Self {
            path,
            is_open,
            file: None,
            owner: None,
            header: Vec::new(),
        };
        let Ok(found) = walk(&top.path) else {
            return Ok(top);
        };
        top.file = Some(id_of(&found.facts));
        top.owner = author(&found).and_then(|uid| owner(&top.path, uid));
        if format == ImageFormat::Vmdk {
            check_vmdk(&top.path, &found).map_err(|why| refused(&top.path, why))?;
        }
        let header = read(&found)
            .map_err(|error| refused(&top.path, &format!("cannot be read: {error}")))?;
        top.header = header.unwrap_or_default();
        check_data_file(&top.path, &top.header)?;
        Ok(top)
    }

    fn names_another(&self) -> bool {
        self.is_open && backing(&self.header).is_some()
    }

    fn alone(self) -> Backing {
        Backing {
            image: self.path,
            file: self.file,
            below: Vec::new(),
        }
    }

    /// What is below it, with the rights of this thread.
    fn follow(self) -> Result<Backing> {
        let mut below: Vec<BackingLayer> = Vec::new();
        let mut owner = self.owner;
        let mut header = self.is_open.then(|| self.header.clone());
        while let Some((name, known)) = header.as_deref().and_then(backing) {
            let path = below.last().map_or(&*self.path, |layer| &*layer.path);
            if below.len() == MOST_LAYERS {
                let why =
                    format!("is the end of more than {MOST_LAYERS} images on top of each other");
                return Err(refused(path, &why));
            }
            let (layer, next, author) = layer(path, owner, (name, known))?;
            // Whoever made this one is not let through to what only the owner of those above can reach.
            owner = owner.filter(|owner| author == Some(*owner));
            below.push(layer);
            header = next;
        }
        Ok(Backing {
            below,
            ..self.alone()
        })
    }
}

/// Who wrote the names that are in a file: its owner, if nobody else writes it and the file system can be believed. On a medium of a user's the
/// user writes whatever owner he likes.
fn author(found: &Found) -> Option<u32> {
    let is_trusted = found.dirs.last().is_some_and(|dir| dir.is_trusted);
    let is_its_owners = found.facts.st_mode & 0o022 == 0;
    (is_trusted && is_its_owners).then_some(found.facts.st_uid)
}

fn refused(path: &Path, why: &str) -> Error {
    let message = format!("image '{}' {why}", path.display());
    Error::new(ErrorCode::ConfigUnsupported, ErrorDomain::Qemu, message)
}

/// The file that an image names, its header if it may name another one, and who wrote that.
fn layer(
    image: &Path,
    owner: Option<u32>,
    (name, known): (&[u8], Option<&[u8]>),
) -> Result<(BackingLayer, Option<Vec<u8>>, Option<u32>)> {
    const REMEDY: &str = "name it in the definition (<backingStore>)";
    let shown = shown(name);
    if has_protocol(name) {
        let why = format!("is based on '{shown}', which is not a plain file name; {REMEDY}");
        return Err(refused(image, &why));
    }
    let path = image
        .parent()
        .unwrap_or(Path::new("/"))
        .join(std::ffi::OsStr::from_bytes(name));
    let known = known.and_then(|format| ImageFormat::from_name(std::str::from_utf8(format).ok()?));
    let Some(format) = known else {
        let why = format!("names backing file '{shown}' and not its format; {REMEDY}");
        return Err(refused(image, &why));
    };
    // One text for all that is in the way: whoever made the image is told nothing of what he cannot reach.
    let out_of_reach = || {
        let why = format!(
            "is based on '{shown}', which is no file that everybody can reach and read, nor one of the image's owner's that guests \
             can; {REMEDY}, so that it is given to the guest"
        );
        refused(image, &why)
    };
    let found = walk(&path).map_err(|_| out_of_reach())?;
    let kind = kind(&found);
    let is_file = matches!(kind, FileType::RegularFile | FileType::BlockDevice);
    if !is_file || !(found.is_everybodys() || owner == Some(found.facts.st_uid)) {
        return Err(out_of_reach());
    }
    let header = read(&found).map_err(|_| out_of_reach())?;
    let header = header.unwrap_or_default();
    if format == ImageFormat::Vmdk {
        // Its descriptor names files, and a guest that had the file as a disk may have written it.
        let why = format!("is based on '{shown}' of format vmdk; {REMEDY}");
        return Err(refused(image, &why));
    }
    if format.has_backing() {
        check_data_file(&path, &header)?;
    }
    let author = author(&found);
    let layer = BackingLayer {
        path,
        file: Arc::new(found.fd),
        format,
        is_block: kind == FileType::BlockDevice,
    };
    Ok((layer, format.has_backing().then_some(header), author))
}

/// A name as messages show it: on one line, and without what a terminal obeys.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let mut shown = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn check_data_file(path: &Path, header: &[u8]) -> Result<()> {
    if has_data_file(header) {
        let why = "has its data in another file (data_file), which is not supported";
        return Err(refused(path, why));
    }
    Ok(())
}

fn kind(found: &Found) -> FileType {
    FileType::from_raw_mode(found.facts.st_mode)
}

/// The beginning of an image; nothing for what is neither a file nor a block device.
fn read(found: &Found) -> io::Result<Option<Vec<u8>>> {
    if !matches!(kind(found), FileType::RegularFile | FileType::BlockDevice) {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let link = format!("/proc/self/fd/{}", found.fd.as_raw_fd());
    let file = File::from(rustix::fs::open(link, flags, Mode::empty())?);
    let mut header = vec![0; HEADER];
    let mut length = 0;
    while let Some(rest) = header.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    header.truncate(length);
    Ok(Some(header))
}

/// VMDK's descriptor names the files that the data is in, and QEMU can be told no others. It is read once more by QEMU, so only an image
/// that nobody but root can change is taken.
fn check_vmdk(path: &Path, found: &Found) -> Result<(), &'static str> {
    let is_roots = found.facts.st_uid == 0 && found.facts.st_mode & 0o022 == 0;
    if is_roots && walk_to_place(path).is_ok_and(|place| place.is_closed) {
        return Ok(());
    }
    Err(
        "of format vmdk can be changed by others than root while QEMU reads from it which files it uses; convert it (qemu-img convert -O qcow2)",
    )
}

/// Whether a name is for one of QEMU's block drivers: it has a colon before any slash.
fn has_protocol(name: &[u8]) -> bool {
    name.iter().find(|byte| matches!(byte, b'/' | b':')) == Some(&b':')
}

fn number(header: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?))
}

fn has_data_file(header: &[u8]) -> bool {
    let features = || Some(u64::from_be_bytes(*header.get(72..)?.first_chunk()?));
    header.starts_with(QCOW)
        && number(header, 4).is_some_and(|version| version >= 3)
        && features().is_some_and(|features| features & FEATURE_DATA_FILE != 0)
}

/// The name of the backing file in a header, and the format that goes with it.
fn backing(header: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (offset, length) = if header.starts_with(QCOW) {
        let offset = u64::from_be_bytes(*header.get(8..)?.first_chunk()?);
        (usize::try_from(offset).ok()?, number(header, 16)?)
    } else if header.starts_with(QED) {
        let offset = u32::from_le_bytes(*header.get(56..)?.first_chunk()?);
        let length = u32::from_le_bytes(*header.get(60..)?.first_chunk()?);
        (usize::try_from(offset).ok()?, length)
    } else {
        return None;
    };
    let length = usize::try_from(length).ok()?;
    if offset == 0 || length == 0 || length > LONGEST_NAME {
        return None;
    }
    let name = header.get(offset..offset.checked_add(length)?)?;
    let name = name.split(|byte| *byte == 0).next()?;
    Some((name, backing_format(header)))
}

/// The format of the backing file; only qcow2 tells it.
fn backing_format(header: &[u8]) -> Option<&[u8]> {
    let mut at = match (header.starts_with(QCOW), number(header, 4)?) {
        (false, _) | (true, 1) => return None,
        (true, 2) => 72,
        (true, _) => usize::try_from(number(header, 100)?).ok()?,
    };
    loop {
        let kind = number(header, at)?;
        let length = usize::try_from(number(header, at.checked_add(4)?)?).ok()?;
        let data = at.checked_add(8)?;
        match kind {
            EXTENSION_END => return None,
            EXTENSION_BACKING_FORMAT => return header.get(data..data.checked_add(length)?),
            _ => at = data.checked_add(length.checked_next_multiple_of(8)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of qcow2 with extensions and the name behind them.
    fn header(version: u32, extensions: &[(u32, &[u8])], name: &[u8]) -> Vec<u8> {
        let start = if version == 2 { 72 } else { 104 };
        let mut header = vec![0; start];
        for (kind, data) in extensions {
            header.extend(kind.to_be_bytes());
            header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            header.extend(*data);
            header.resize(header.len().next_multiple_of(8), 0);
        }
        header.extend([0; 8]);
        let offset = header.len() as u64;
        header.extend(name);
        header[..4].copy_from_slice(QCOW);
        header[4..8].copy_from_slice(&version.to_be_bytes());
        header[8..16].copy_from_slice(&offset.to_be_bytes());
        header[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        if version == 3 {
            header[100..104].copy_from_slice(&104_u32.to_be_bytes());
        }
        header
    }

    #[test]
    fn names_are_found_and_their_formats() {
        let format: (u32, &[u8]) = (EXTENSION_BACKING_FORMAT, b"raw");
        let other: (u32, &[u8]) = (0x6803_f857, b"features...");
        for version in [2, 3] {
            for name in [&b"sub/base.img"[..], b"/srv/base.img", b"json:{}"] {
                let found = header(version, &[other, format], name);
                assert_eq!(backing(&found), Some((name, Some(&b"raw"[..]))));
                let bare = header(version, &[other], name);
                assert_eq!(backing(&bare), Some((name, None)));
            }
            assert_eq!(backing(&header(version, &[format], b"")), None);
        }
        let mut qed = vec![0; 70];
        qed[..4].copy_from_slice(QED);
        qed[56..64].copy_from_slice(&[64, 0, 0, 0, 6, 0, 0, 0]);
        qed[64..].copy_from_slice(b"fat:/a");
        assert_eq!(backing(&qed), Some((&b"fat:/a"[..], None)));
    }

    #[test]
    fn headers_that_lie_are_passed_over() {
        let whole = header(3, &[(EXTENSION_BACKING_FORMAT, b"qcow2")], b"base.img");
        for length in 0..whole.len() {
            let _ = backing(&whole[..length]);
        }
        for at in 4..whole.len().min(120) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = backing(&changed);
            }
        }
    }

    #[test]
    fn files_are_followed_to_the_last_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let write = |name: &str, below: &str, format: &[u8]| {
            let extensions = [(EXTENSION_BACKING_FORMAT, format)];
            std::fs::write(dir.join(name), header(3, &extensions, below.as_bytes())).unwrap();
        };
        let look = |name: &str, is_open: bool| {
            let image = Image {
                path: dir.join(name),
                format: ImageFormat::Qcow2,
                is_open,
            };
            Top::look(image, |_, owner| Some(owner)).and_then(Top::follow)
        };
        let named = |name: &str| {
            let below = look(name, true).unwrap().below;
            let layers = below.iter().map(|layer| (layer.path.clone(), layer.format));
            layers.collect::<Vec<_>>()
        };
        write("top", "middle", b"qcow2");
        write("middle", dir.join("last").to_str().unwrap(), b"qcow2");
        write("last", "", b"");
        let expected = ["middle", "last"].map(|name| (dir.join(name), ImageFormat::Qcow2));
        assert_eq!(named("top"), expected);
        write("last", "base.img", b"raw");
        std::fs::write(dir.join("base.img"), "data").unwrap();
        assert_eq!(named("top")[2], (dir.join("base.img"), ImageFormat::Raw));

        for name in [
            "json:{\"driver\":\"vvfat\",\"dir\":\"/srv\"}",
            "fat:/srv",
            "nbd+unix:///?socket=/srv/sock",
            "file:base",
        ] {
            write("last", name, b"raw");
            for image in ["last", "top"] {
                let error = look(image, true).unwrap_err();
                assert_eq!(error.code, ErrorCode::ConfigUnsupported);
                assert!(error.message.contains(name), "{}", error.message);
            }
            assert!(look("last", false).unwrap().below.is_empty());
        }
        write("last", "base.img", b"vmdk");
        let error = look("top", true).unwrap_err();
        assert!(error.message.contains("vmdk"), "{}", error.message);
        write("last", "base.img", b"unheard-of");
        let error = look("top", true).unwrap_err();
        assert!(error.message.contains("base.img"), "{}", error.message);
        write("last", "top", b"qcow2");
        let error = look("top", true).unwrap_err();
        assert!(error.message.contains("100"), "{}", error.message);
        assert!(look("missing", true).unwrap().below.is_empty());
        write("last", "missing", b"qcow2");
        let error = look("top", true).unwrap_err();
        assert!(error.message.contains("missing"), "{}", error.message);
    }

    #[test]
    fn what_not_everybody_can_reach_has_to_be_the_owners() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let base = dir.join("base.img");
        let extensions = [(EXTENSION_BACKING_FORMAT, &b"raw"[..])];
        std::fs::write(dir.join("top"), header(3, &extensions, b"base.img")).unwrap();
        let own = rustix::process::geteuid().as_raw();
        let follow = |owner: Option<u32>| {
            let image = Image {
                path: dir.join("top"),
                format: ImageFormat::Qcow2,
                is_open: true,
            };
            Top::look(image, |_, _| owner).unwrap().follow()
        };
        let set = |path: &Path, mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path, mode).unwrap();
        };
        std::fs::write(&base, "data").unwrap();
        set(&dir, 0o700);
        set(&base, 0o644);
        assert_eq!(follow(Some(own)).unwrap().below.len(), 1);
        // Others write it too.
        set(&dir.join("top"), 0o664);
        assert!(follow(Some(own)).is_err());
        set(&dir.join("top"), 0o644);
        // Who made it is not known.
        let refused = follow(None).unwrap_err();
        assert!(
            refused.message.contains("<backingStore>"),
            "{}",
            refused.message
        );
        set(&dir, 0o711);
        assert_eq!(follow(None).unwrap().below.len(), 1);
        set(&base, 0o640);
        assert!(follow(None).is_err());
        std::fs::remove_file(&base).unwrap();
        let mode = Mode::RWXU | Mode::ROTH;
        rustix::fs::mknodat(rustix::fs::CWD, &base, FileType::Fifo, mode, 0).unwrap();
        assert!(follow(Some(own)).is_err());
        assert_eq!(shown(b"a\n\x1b[2J\xff"), "a\\n\\u{1b}[2J\u{fffd}");
    }

    #[test]
    fn who_made_a_layer_is_not_let_through_to_what_the_owner_above_can_reach() {
        use std::os::unix::fs::{PermissionsExt, chown};
        let (bob, alice) = (60_001, 60_002);
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        let home = dir.join("home");
        std::fs::create_dir(&home).unwrap();
        let image = |name: &str, below: &str, format: &[u8]| {
            let extensions = [(EXTENSION_BACKING_FORMAT, format)];
            std::fs::write(dir.join(name), header(3, &extensions, below.as_bytes())).unwrap();
            dir.join(name)
        };
        let top = image("top", "base", b"qcow2");
        let base = image("base", "home/private", b"raw");
        let private = home.join("private");
        std::fs::write(&private, "data").unwrap();
        for (path, owner) in [(&top, bob), (&base, bob), (&private, bob), (&home, bob)] {
            if chown(path, Some(owner), None).is_err() {
                virtbus_skip::skip!("only root gives files away");
            }
        }
        std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
        let follow = || {
            let image = Image {
                path: top.clone(),
                format: ImageFormat::Qcow2,
                is_open: true,
            };
            Top::look(image, |_, owner| Some(owner)).and_then(Top::follow)
        };
        assert_eq!(follow().unwrap().below.len(), 2);
        chown(&base, Some(alice), None).unwrap();
        let refused = follow().unwrap_err();
        assert!(
            refused.message.contains("home/private"),
            "{}",
            refused.message
        );
    }

    /// Whether a program did what it should.
    fn run(program: &str, words: &[&std::ffi::OsStr]) -> bool {
        let mut cmd = virtbus_util::cmd::Cmd::new(program);
        let Ok(mut child) = cmd.args(words).spawn() else {
            return false;
        };
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.is_success(),
                Ok(None) => std::thread::sleep(std::time::Duration::from_millis(10)),
                Err(_) => return false,
            }
        }
    }

    /// Unmounts it when dropped.
    struct Mounted<'a>(&'a Path);

    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            run("umount", &[self.0.as_os_str()]);
        }
    }

    #[test]
    fn root_on_a_users_medium_nobody_is_the_author_whatever_it_says() {
        if !rustix::process::geteuid().is_root() {
            virtbus_skip::skip!("needs root");
        }
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (content, at, image) = (dir.join("content"), dir.join("stick"), dir.join("image"));
        for new in [&content, &at] {
            std::fs::create_dir(new).unwrap();
        }
        std::fs::write(content.join("disk"), header(3, &[], b"/home/bob/vm.img")).unwrap();
        let make = [
            "-q".as_ref(),
            "-d".as_ref(),
            content.as_os_str(),
            image.as_os_str(),
            "1m".as_ref(),
        ];
        if !run("mke2fs", &make) {
            virtbus_skip::skip!("needs mke2fs");
        }
        for (options, author_there) in [("loop,nosuid,nodev", None), ("loop", Some(0))] {
            let mount = [
                "-o".as_ref(),
                options.as_ref(),
                image.as_os_str(),
                at.as_os_str(),
            ];
            if !run("mount", &mount) {
                virtbus_skip::skip!("needs a loop device");
            }
            let _mounted = Mounted(&at);
            let found = walk(&at.join("disk")).unwrap();
            assert_eq!(author(&found), author_there, "{options}");
        }
    }

    #[test]
    fn data_elsewhere_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        let mut image = header(3, &[], b"");
        image[79] = 4;
        std::fs::write(&path, image).unwrap();
        let image = Image {
            path,
            format: ImageFormat::Qcow2,
            is_open: false,
        };
        let refused = Top::look(image, |_, owner| Some(owner));
        assert!(refused.err().unwrap().message.contains("data_file"));
    }

    #[test]
    fn vmdk_is_taken_from_root_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        std::fs::write(&path, b"# Disk DescriptorFile").unwrap();
        let image = Image {
            path,
            format: ImageFormat::Vmdk,
            is_open: true,
        };
        let refused = Top::look(image, |_, owner| Some(owner));
        assert!(refused.err().unwrap().message.contains("qemu-img convert"));
    }
}
