//! By what a pool's storage comes to where its volumes are: `mount` and `vgchange`.

use virtbus_conf_storage::storage_pool::{PoolFormat, PoolSource, PoolType, StoragePool};

use super::Command;

/// What every file system is mounted with: nothing in it is a device or a program.
const MOUNT_OPTIONS: &str = "nodev,nosuid,noexec";

/// Why there is no command for a pool.
#[derive(Debug, thiserror::Error)]
pub enum NoCommand {
    /// Its storage is there already, or comes by other ways.
    #[error("storage pools of type '{0}' are neither mounted nor activated")]
    NotNeeded(PoolType),
    /// Something that the command would name is not in the definition.
    #[error("storage pools of type '{kind}' need a {what}")]
    Missing {
        /// The pool's type.
        kind: PoolType,
        /// What is missing, as the document calls it.
        what: &'static str,
    },
    /// Something would be an option, or more than one word.
    #[error(
        "'{0}' cannot be given to a program: it begins with '-', or has a line break or a comma in it"
    )]
    NoWord(String),
}

/// The command that makes the storage of a pool accessible.
///
/// # Errors
/// [`NoCommand`].
pub fn activation(pool: &StoragePool) -> Result<Command, NoCommand> {
    match pool.kind {
        PoolType::Fs | PoolType::Netfs => mount(pool),
        PoolType::Logical => {
            let name = needed(pool, "source name", pool.source.name.as_deref())?;
            Ok(Command {
                program: "vgchange",
                arguments: vec!["-aly".to_owned(), word(name)?],
            })
        }
        other => Err(NoCommand::NotNeeded(other)),
    }
}

fn needed<'a>(
    pool: &StoragePool,
    what: &'static str,
    value: Option<&'a str>,
) -> Result<&'a str, NoCommand> {
    let kind = pool.kind;
    value
        .filter(|value| !value.is_empty())
        .ok_or(NoCommand::Missing { kind, what })
}

/// A text that is one word for a program, and no option.
fn word(text: &str) -> Result<String, NoCommand> {
    if text.starts_with('-') || text.chars().any(char::is_control) {
        return Err(NoCommand::NoWord(text.to_owned()));
    }
    Ok(text.to_owned())
}

fn mount(pool: &StoragePool) -> Result<Command, NoCommand> {
    let target = pool
        .target
        .as_ref()
        .and_then(|target| target.path.as_deref());
    let target = word(needed(pool, "target path", target)?)?;
    let format = pool.source.format.unwrap_or(PoolFormat::Auto);
    let mut options = vec![MOUNT_OPTIONS.to_owned()];
    match format {
        PoolFormat::Glusterfs => options.push("direct-io-mode=1".to_owned()),
        PoolFormat::Cifs => options.push("guest".to_owned()),
        _ => {}
    }
    if let Some(version) = pool.source.protocol_version {
        options.push(format!("nfsvers={}", version.0));
    }
    for option in &pool.options {
        let name = word(&option.name)?;
        if name.contains(',') {
            return Err(NoCommand::NoWord(name));
        }
        options.push(name);
    }
    let mut arguments = vec!["-o".to_owned(), options.join(",")];
    // What is exported to a network is told by the server.
    if !(pool.kind == PoolType::Netfs && format == PoolFormat::Auto) {
        arguments.extend(["-t".to_owned(), format.to_string()]);
    }
    arguments.extend([word(&source(pool)?)?, target]);
    Ok(Command {
        program: "mount",
        arguments,
    })
}

/// What is mounted, as `mount` names it and as the kernel lists it.
pub(crate) fn source(pool: &StoragePool) -> Result<String, NoCommand> {
    let PoolSource { hosts, dir, .. } = &pool.source;
    if pool.kind == PoolType::Fs {
        let device = pool.source.devices.first().map(|device| &*device.path);
        return Ok(needed(pool, "source device", device)?.to_owned());
    }
    let host = hosts.first().map(|host| &*host.name);
    let host = needed(pool, "source host", host)?;
    let dir = needed(pool, "source dir", dir.as_deref())?;
    Ok(match pool.source.format {
        Some(PoolFormat::Cifs) => format!("//{host}/{dir}"),
        _ if host.contains(':') => format!("[{host}]:{dir}"),
        _ => format!("{host}:{dir}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(xml: &str) -> Result<Command, NoCommand> {
        activation(&StoragePool::parse(xml).unwrap())
    }

    fn nfs(host: &str, dir: &str, more: &str) -> String {
        format!(
            "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><name>p</name><source>
             <host name='{host}'/><dir path='{dir}'/><format type='nfs'/><protocol ver='4'/></source>
             <target><path>/mnt</path></target>{more}</pool>"
        )
    }

    #[test]
    fn a_version_and_options_reach_mount() {
        let more = "<fs:mount_opts><fs:option name='sync'/></fs:mount_opts>";
        let made = command(&nfs("fd00::1", "/export", more)).unwrap();
        let options = "nodev,nosuid,noexec,nfsvers=4,sync";
        let expected = ["-o", options, "-t", "nfs", "[fd00::1]:/export", "/mnt"];
        assert_eq!(
            (made.program, made.arguments),
            ("mount", expected.map(String::from).to_vec())
        );
    }

    #[test]
    fn no_text_becomes_an_option() {
        assert!(command(&nfs("-o", "/x", "")).is_err());
        assert!(command(&nfs("h", "/x&#10;y", "")).is_err());
        let more = "<fs:mount_opts><fs:option name='a,suid'/></fs:mount_opts>";
        assert!(command(&nfs("h", "/x", more)).is_err());
        let vg = "<pool type='logical'><name>-x</name><target/></pool>";
        let vg = vg.replace(
            "<target/>",
            "<source><name>--force</name></source><target/>",
        );
        assert!(matches!(command(&vg), Err(NoCommand::NoWord(_))));
    }
}
