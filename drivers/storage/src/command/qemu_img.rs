//! How `qemu-img` makes a volume, empty or with the content of another one.
//!
//! Texts of documents are values of options: a comma in them is doubled, and none begins an option of its own.

use virtbus_conf_storage::storage::{Encryption, EncryptionFormat};
use virtbus_conf_storage::storage_volume::{FileFeature, StorageVolume, VolumeFormat};

/// The program.
pub const PROGRAM: &str = "qemu-img";

/// Why a volume cannot be made so.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing makes images of the format.
    #[error("volumes of format '{0}' cannot be made")]
    Format(VolumeFormat),
    /// The format has no backing images.
    #[error("volumes of format '{0}' cannot have a <backingStore>")]
    Backing(VolumeFormat),
    /// The format cannot be encrypted so.
    #[error("volumes of format '{format}' cannot have encryption of format '{}'", encryption.as_str())]
    Encryption {
        /// The format of the volume.
        format: VolumeFormat,
        /// That of the encryption.
        encryption: EncryptionFormat,
    },
    /// There is no key for an encrypted volume.
    #[error("the <encryption> of volume '{0}' names no secret")]
    NoKey(String),
    /// A feature needs a later version of the format.
    #[error("feature '{}' is not supported with compat level {compat}", feature.as_str())]
    Compat {
        /// The feature.
        feature: FileFeature,
        /// The version.
        compat: String,
    },
    /// The format has no metadata that could be written in advance.
    #[error("metadata can be preallocated in volumes of format 'qcow2' only, not '{0}'")]
    Preallocation(VolumeFormat),
}

/// A secret that `qemu-img` reads from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What the object is called.
    pub id: String,
    /// The file.
    pub file: String,
}

/// A volume as `qemu-img` is told of it.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// Its description.
    pub volume: &'a StorageVolume,
    /// Where it is.
    pub path: &'a str,
    /// The key of an encrypted one.
    pub key: Option<Key>,
}

/// How a volume is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Making {
    /// Whether the image's metadata is written in advance.
    pub preallocate: bool,
    /// Whether the backing image was looked at already: `qemu-img` does not open it then.
    pub backing_is_known: bool,
}

/// The format that QEMU knows an unencrypted volume by.
fn plain_format(volume: &StorageVolume) -> Result<VolumeFormat, Refusal> {
    match volume.target.format {
        None | Some(VolumeFormat::None | VolumeFormat::Iso) => Ok(VolumeFormat::Raw),
        Some(
            format @ (VolumeFormat::Raw
            | VolumeFormat::Qcow
            | VolumeFormat::Qcow2
            | VolumeFormat::Qed
            | VolumeFormat::Vmdk
            | VolumeFormat::Vdi
            | VolumeFormat::Vpc
            | VolumeFormat::Luks),
        ) => Ok(format),
        Some(other) => Err(Refusal::Format(other)),
    }
}

/// A comma in a value is doubled.
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

/// How a side is encrypted, if it is.
struct Encrypted<'a> {
    encryption: &'a Encryption,
    key: &'a Key,
}

impl<'a> Side<'a> {
    fn encrypted(&'a self) -> Result<Option<Encrypted<'a>>, Refusal> {
        let Some(encryption) = &self.volume.target.encryption else {
            return Ok(None);
        };
        let format = plain_format(self.volume)?;
        let fits = matches!(
            format,
            VolumeFormat::Raw | VolumeFormat::Luks | VolumeFormat::Qcow2
        );
        if !fits || encryption.format != EncryptionFormat::Luks {
            return Err(Refusal::Encryption {
                format,
                encryption: encryption.format,
            });
        }
        match &self.key {
            Some(key) => Ok(Some(Encrypted { encryption, key })),
            None => Err(Refusal::NoKey(self.volume.name.to_string())),
        }
    }

    /// The format for QEMU: what is raw inside of LUKS is `luks`.
    fn format(&self) -> Result<VolumeFormat, Refusal> {
        let format = plain_format(self.volume)?;
        Ok(match (format, &self.volume.target.encryption) {
            (VolumeFormat::Raw, Some(_)) => VolumeFormat::Luks,
            (format, _) => format,
        })
    }

    /// As options, with which a key can be given.
    fn description(&self) -> Result<String, Refusal> {
        let format = self.format()?;
        let mut text = format!("driver={format},file.filename={}", value(self.path));
        if let Some(Encrypted { key, .. }) = self.encrypted()? {
            let prefix = prefix(format);
            text.push_str(&format!(",{prefix}key-secret={}", value(&key.id)));
        }
        Ok(text)
    }
}

/// Where a format has the options of its encryption.
fn prefix(format: VolumeFormat) -> &'static str {
    if format == VolumeFormat::Qcow2 {
        "encrypt."
    } else {
        ""
    }
}

fn object(key: &Key) -> [String; 2] {
    let (id, file) = (value(&key.id), value(&key.file));
    ["--object".to_owned(), format!("secret,id={id},file={file}")]
}

/// The size as an argument: in whole kilobytes, not less than asked for.
fn size(volume: &StorageVolume) -> String {
    format!("{}K", volume.capacity().0.div_ceil(1024))
}

fn encryption_options(format: VolumeFormat, encrypted: &Encrypted<'_>) -> Vec<String> {
    let prefix = prefix(format);
    let mut options = Vec::new();
    if format == VolumeFormat::Qcow2 {
        options.push("encrypt.format=luks".to_owned());
    }
    let mut add = |name: &str, text: &str| options.push(format!("{prefix}{name}={}", value(text)));
    add("key-secret", &encrypted.key.id);
    if let Some(cipher) = &encrypted.encryption.cipher {
        add("cipher-alg", &format!("{}-{}", cipher.name, cipher.size));
        if let Some(mode) = &cipher.mode {
            add("cipher-mode", mode);
        }
        if let Some(hash) = &cipher.hash {
            add("hash-alg", hash);
        }
        if let Some(ivgen) = &encrypted.encryption.ivgen {
            add("ivgen-alg", &ivgen.name);
            if let Some(hash) = &ivgen.hash {
                add("ivgen-hash-alg", hash);
            }
        }
    }
    options
}

/// What stands behind `-o`, if anything.
fn options(target: &Side<'_>, making: Making) -> Result<Option<String>, Refusal> {
    let volume = target.volume;
    let format = target.format()?;
    let mut options = Vec::new();
    if let Some(backing) = &volume.backing_store {
        let format = backing.format.unwrap_or(VolumeFormat::Raw);
        options.push(format!("backing_fmt={format}"));
    }
    if let Some(encrypted) = target.encrypted()? {
        options.extend(encryption_options(format, &encrypted));
    }
    if making.preallocate {
        if format != VolumeFormat::Qcow2 {
            return Err(Refusal::Preallocation(format));
        }
        let whole = volume.allocation().0 >= volume.capacity().0;
        let how = if whole { "falloc" } else { "metadata" };
        options.push(format!("preallocation={how}"));
    }
    if volume.target.nocow {
        options.push("nocow=on".to_owned());
    }
    if format == VolumeFormat::Qcow2 {
        options.extend(qcow2_options(volume)?);
    }
    Ok((!options.is_empty()).then(|| options.join(",")))
}

fn qcow2_options(volume: &StorageVolume) -> Result<Vec<String>, Refusal> {
    let compat = volume.target.compat.as_ref();
    let compat = compat.map_or("1.1", |compat| &compat.0);
    let mut options = vec![format!("compat={}", value(compat))];
    if let Some(size) = volume.target.cluster_size {
        options.push(format!("cluster_size={}", size.0));
    }
    for feature in volume.target.features.iter().flatten() {
        if compat == "0.10" {
            return Err(Refusal::Compat {
                feature: *feature,
                compat: compat.to_owned(),
            });
        }
        options.push(match feature {
            FileFeature::LazyRefcounts => "lazy_refcounts=on".to_owned(),
            FileFeature::ExtendedL2 => "extended_l2=on".to_owned(),
        });
    }
    Ok(options)
}

fn check_backing(target: &Side<'_>) -> Result<(), Refusal> {
    let format = target.format()?;
    let can = matches!(
        format,
        VolumeFormat::Qcow | VolumeFormat::Qcow2 | VolumeFormat::Qed | VolumeFormat::Vmdk
    );
    if target.volume.backing_store.is_some() && !can {
        return Err(Refusal::Backing(format));
    }
    Ok(())
}

/// The arguments that make an empty volume.
///
/// # Errors
/// [`Refusal`].
pub fn create(target: &Side<'_>, making: Making) -> Result<Vec<String>, Refusal> {
    check_backing(target)?;
    let mut line = vec!["create".to_owned(), "-f".to_owned()];
    line.push(target.format()?.to_string());
    if let Some(backing) = &target.volume.backing_store {
        line.extend(["-b".to_owned(), backing.path.to_string()]);
        if making.backing_is_known {
            line.push("-u".to_owned());
        }
    }
    if let Some(encrypted) = target.encrypted()? {
        line.extend(object(encrypted.key));
    }
    if let Some(options) = options(target, making)? {
        line.extend(["-o".to_owned(), options]);
    }
    line.extend([target.path.to_owned(), size(target.volume)]);
    Ok(line)
}

/// The arguments of each run that makes a volume with the content of another one. It is based on no other image then.
///
/// # Errors
/// [`Refusal`].
pub fn convert(
    target: &Side<'_>,
    source: &Side<'_>,
    making: Making,
) -> Result<Vec<Vec<String>>, Refusal> {
    // All of the content goes into it, whatever it was to be based on.
    let mut alone = target.volume.clone();
    alone.backing_store = None;
    let target = &Side {
        volume: &alone,
        ..target.clone()
    };
    let keys = [target.encrypted()?, source.encrypted()?];
    if keys.iter().any(Option::is_some) {
        // A key can be given for each side only if both are described by options, and then the target has to be there.
        let mut line: Vec<String> = ["convert", "--image-opts", "-n", "--target-image-opts"]
            .map(String::from)
            .to_vec();
        for encrypted in keys.iter().flatten() {
            line.extend(object(encrypted.key));
        }
        line.extend([source.description()?, target.description()?]);
        return Ok(vec![create(target, making)?, line]);
    }
    let mut line = vec!["convert".to_owned(), "-f".to_owned()];
    line.extend([source.format()?.to_string(), "-O".to_owned()]);
    line.push(target.format()?.to_string());
    if let Some(options) = options(target, making)? {
        line.extend(["-o".to_owned(), options]);
    }
    line.extend([source.path.to_owned(), target.path.to_owned()]);
    Ok(vec![line])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(format: &str, more: &str) -> StorageVolume {
        let xml = format!(
            "<volume><name>a</name><capacity>1025</capacity><target><format type='{format}'/>{more}</target></volume>"
        );
        StorageVolume::parse(&xml).unwrap()
    }

    fn side<'a>(volume: &'a StorageVolume, path: &'a str) -> Side<'a> {
        Side {
            volume,
            path,
            key: None,
        }
    }

    #[test]
    fn options_of_qcow2() {
        let more = "<clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/><extended_l2/></features>";
        let volume = volume("qcow2", more);
        let line = create(&side(&volume, "/a"), Making::default()).unwrap();
        let options = "compat=1.1,cluster_size=131072,lazy_refcounts=on,extended_l2=on";
        assert_eq!(line, ["create", "-f", "qcow2", "-o", options, "/a", "2K"]);
    }

    #[test]
    fn no_value_becomes_an_option() {
        let more =
            "<compat>1.1</compat><encryption format='luks'><secret type='passphrase' usage='x'/>
                    <cipher name='aes,key-secret=y' size='256'/></encryption>";
        let volume = volume("qcow2", more);
        let mut target = side(&volume, "/a,b");
        assert!(matches!(
            create(&target, Making::default()),
            Err(Refusal::NoKey(_))
        ));
        target.key = Some(Key {
            id: "k".to_owned(),
            file: "/f,x".to_owned(),
        });
        let lines = convert(&target, &side(&volume, "/s"), Making::default());
        assert!(lines.is_err(), "the source has no key");
        let line = create(&target, Making::default()).unwrap();
        assert_eq!(line[4], "secret,id=k,file=/f,,x");
        assert!(
            line[6].contains("cipher-alg=aes,,key-secret=y-256"),
            "{}",
            line[6]
        );
        assert!(target.description().unwrap().contains("filename=/a,,b,"));
    }

    #[test]
    fn what_a_format_cannot_have_is_refused() {
        let making = Making {
            preallocate: true,
            ..Making::default()
        };
        let raw = volume("raw", "");
        assert!(matches!(
            create(&side(&raw, "/a"), making),
            Err(Refusal::Preallocation(_))
        ));
        let mut based = volume("vdi", "");
        let xml = "<volume><name>a</name><capacity>1</capacity><backingStore><path>/b</path></backingStore></volume>";
        based.backing_store = StorageVolume::parse(xml).unwrap().backing_store;
        assert!(matches!(
            create(&side(&based, "/a"), Making::default()),
            Err(Refusal::Backing(_))
        ));
        for format in ["bochs", "dir", "ploop"] {
            let other = volume(format, "");
            assert!(matches!(
                create(&side(&other, "/a"), Making::default()),
                Err(Refusal::Format(_))
            ));
        }
    }
}
