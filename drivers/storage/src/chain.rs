//! Images that an image is based on, each held by a descriptor before anything is read from it. Blocks.
//!
//! A guest may have written the header that names them, and whoever asks for a clone gets what is in them. So only such are taken that are in the
//! pool of the image, or that everybody on this host may read; `qemu-img` is told of each by its descriptor and follows no name.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use virtbus_api::Result;
use virtbus_conf_storage::storage::StorageSource;
use virtbus_image::{Format, Image, Reference};
use virtbus_util::file::walk;

use crate::folder::{Access, Folder};
use crate::{backing, error};

/// So many images may be based on each other, as with libvirt.
const DEEPEST: usize = 200;

/// The first descriptor that a program is handed.
pub(crate) const FIRST: usize = 3;

/// Files that a program is handed, and by which names it finds them.
#[derive(Debug, Default)]
pub(crate) struct Handed(Vec<OwnedFd>);

impl Handed {
    /// Adds a file; its name for the program.
    pub(crate) fn add(&mut self, file: impl Into<OwnedFd>) -> String {
        self.0.push(file.into());
        format!("/dev/fd/{}", FIRST + self.0.len() - 1)
    }

    /// Copies, for one run.
    pub(crate) fn copies(&self) -> std::io::Result<Vec<OwnedFd>> {
        self.0.iter().map(OwnedFd::try_clone).collect()
    }
}

/// Opens an image by a name that another image, or a document, gives: one in a directory of `trusted`, or one that everybody may read.
///
/// # Errors
/// That it cannot be had, and what would help.
pub(crate) fn open_named(name: &str, folder: &Folder, trusted: &[&Folder]) -> Result<File> {
    let unsupported = |what: &str| {
        error::unsupported(format!(
            "the backing image '{name}' is {what}; only files of this host are supported here"
        ))
    };
    let named = backing::parse(name).map_err(|why| unsupported(&format!("not known: {why}")))?;
    let path = match named.source {
        StorageSource::File(file) if file.common.slices.is_empty() => file.file.unwrap_or_default(),
        StorageSource::File(_) => return Err(unsupported("a part of a file")),
        StorageSource::Network(_) => return Err(unsupported("on another host")),
        _ => return Err(unsupported("no file")),
    };
    let name = path.as_str();
    if name.is_empty() {
        return Err(unsupported("nowhere"));
    }
    let (dir, file) = match name.rsplit_once('/') {
        None => (folder.path().to_owned(), name),
        Some((dir, file)) if name.starts_with('/') => (dir.to_owned(), file),
        Some((dir, file)) => (format!("{}/{dir}", folder.path()), file),
    };
    let of = trusted
        .iter()
        .find(|of| of.path().trim_end_matches('/') == dir.trim_end_matches('/'));
    if let Some(of) = of {
        return of.file(file, Access::Read);
    }
    let path = format!("{dir}/{file}");
    let refused = |why: &dyn std::fmt::Display| {
        error::failed(format!(
            "the backing image '{path}' cannot be used: {why}; it has to be in a storage pool that is active, or readable for everybody"
        ))
    };
    let found = walk(Path::new(&path)).map_err(|why| {
        let why = virtbus_api::Error::chain(
            virtbus_api::ErrorCode::OperationFailed,
            virtbus_api::ErrorDomain::Storage,
            &why,
        );
        refused(&why.message)
    })?;
    if FileType::from_raw_mode(found.facts.st_mode) != FileType::RegularFile {
        return Err(refused(&"it is no regular file"));
    }
    if !found.is_everybodys() {
        return Err(refused(&"not everybody may read it"));
    }
    let held = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&found.fd.as_fd())
    );
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(held.as_str(), flags, Mode::empty());
    Ok(File::from(opened.map_err(|errno| refused(&errno))?))
}

/// The header of an image whose format is known.
pub(crate) fn header(file: &File, format: Format, what: &str) -> Result<Image> {
    virtbus_image::read(file, format).map_err(|why| {
        let code = virtbus_api::ErrorCode::OperationFailed;
        let why = virtbus_api::Error::chain(code, virtbus_api::ErrorDomain::Storage, &why);
        error::while_doing(format!("image '{what}'"), why)
    })
}

/// An image with all that it is based on, as `qemu-img` is told of it. What it is based on is in one of the directories of `trusted`, or everybody's.
///
/// # Errors
/// If something that it is based on cannot be had.
pub(crate) fn described(
    file: File,
    format: Format,
    (folder, trusted): (&Folder, &[&Folder]),
    handed: &mut Handed,
) -> Result<String> {
    describe(file, format, (folder, trusted), handed, 0)
}

fn describe(
    file: File,
    format: Format,
    (folder, trusted): (&Folder, &[&Folder]),
    handed: &mut Handed,
    depth: usize,
) -> Result<String> {
    if depth > DEEPEST {
        return Err(error::failed(format!(
            "more than {DEEPEST} images are based on each other, or in a circle"
        )));
    }
    let image = header(&file, format, "to be read")?;
    if format == Format::Vmdk && image.virtual_size == Some(0) {
        return Err(error::unsupported(
            "images of format vmdk that consist of several files are not supported",
        ));
    }
    let driver = match format {
        Format::Iso => "raw",
        other => other.as_str(),
    };
    let path = handed.add(file);
    let file = |path: &str| format!(r#"{{"driver":"file","filename":"{path}"}}"#);
    let mut text = format!(r#"{{"driver":"{driver}","file":{}"#, file(&path));
    if let Some(data) = &image.data_file {
        let path = handed.add(open_named(&data.name, folder, trusted)?);
        text.push_str(&format!(r#","data-file":{}"#, file(&path)));
    }
    match &image.backing {
        Some(backing) => {
            let below = open_named(&backing.name, folder, trusted)?;
            let below = describe(
                below,
                format_of(backing)?,
                (folder, trusted),
                handed,
                depth + 1,
            )?;
            text.push_str(&format!(r#","backing":{below}"#));
        }
        None if has_backing(format) => text.push_str(r#","backing":null"#),
        None => {}
    }
    text.push('}');
    Ok(text)
}

const fn has_backing(format: Format) -> bool {
    matches!(
        format,
        Format::Qcow2 | Format::Qcow | Format::Qed | Format::Vmdk
    )
}

/// The format that an image says what it is based on has.
fn format_of(backing: &Reference) -> Result<Format> {
    let format = backing.format.as_deref().and_then(Format::from_name);
    format.ok_or_else(|| {
        error::failed(format!(
            "the image does not say which format its backing image '{}' has (qemu-img rebase -u -F writes it)",
            backing.name
        ))
    })
}
