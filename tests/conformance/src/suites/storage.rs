//! Storage pools, their volumes and their capabilities.

use serde_json::Value;
use virtbus_conf_base::Flags;
use virtbus_conf_storage::storage::StorageSource;
use virtbus_conf_storage::storage_pool::{PoolType, StoragePool};
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume, VolumeType};
use virtbus_storage::backing;
use virtbus_storage::command::qemu_img::{self, Key, Making, Side};
use virtbus_storage::command::{self, Command};
use virtbus_xml::Content as _;

use crate::case::Case;
use crate::compare;
use crate::outcome::{Held, Problem, Refusal};
use crate::seams::Counting;

/// `storagepoolxml2xml`.
pub(crate) fn pool(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    case.check(read_pool(&xml).map(|p| p.format(Flags::empty())), &xml)
}

/// `storagevolxml2xml`.
pub(crate) fn volume(case: &Case) -> Held<()> {
    let pool = read_pool(&case.file("pool")?)
        .map_err(|e| Problem::failed(format!("the pool is refused: {e}")))?;
    let rule = if case.has("parse_flags", "VIR_VOL_XML_PARSE_NO_CAPACITY")? {
        CapacityRule::Optional
    } else if case.has("parse_flags", "VIR_VOL_XML_PARSE_OPT_CAPACITY")? {
        CapacityRule::OptionalWithBacking
    } else {
        CapacityRule::Required
    };
    let xml = case.file("input")?;
    let read = || {
        let mut volume = StorageVolume::parse(&xml).map_err(Refusal::reading)?;
        volume.validate(pool.kind, rule).map_err(Refusal::reading)?;
        volume.complete(pool.kind);
        Ok(volume)
    };
    case.check(read().map(|v| v.format(Flags::empty())), &xml)
}

/// `storagepoolcaps`.
pub(crate) fn capabilities(case: &Case) -> Held<()> {
    let all = case.field("backends").and_then(Value::as_str) == Some("all");
    let backends = if all {
        Vec::new()
    } else {
        case.words("backends")?
    };
    let supported = |kind: &PoolType| all || backends.contains(&kind.as_str());
    let kinds: Vec<PoolType> = PoolType::ALL.iter().copied().filter(supported).collect();
    let capabilities = StoragePoolCapabilities::new(&kinds);
    case.check(Ok(capabilities.format(Flags::empty())), "")
}

/// `storagepoolxml2argv`.
pub(crate) fn pool_command(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let pool = read_pool(&xml).map_err(|e| Problem::failed(format!("it is refused: {e}")))?;
    let made = command::activation(&pool).map_err(Refusal::later);
    case.check(made.map(|made| wrapped(&[made])), &xml)
}

/// `storagevolxml2argv`.
pub(crate) fn volume_command(case: &Case) -> Held<()> {
    let xml = case.file("input")?;
    let source = match case.text("source_volume")? {
        Some(_) => Some(read_volume(
            case,
            ("source_pool", "source_volume"),
            CapacityRule::Required,
        )?),
        None => None,
    };
    let rule = if source.is_some() {
        CapacityRule::Optional
    } else {
        CapacityRule::Required
    };
    let volume = read_volume(case, ("pool", "input"), rule)?;
    let making = Making {
        preallocate: case.has("create_flags", "VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA")?,
        ..Making::default()
    };
    let target = side(&volume, "/path/to/secretFile");
    let made = match &source {
        Some(source) => {
            qemu_img::convert(&target, &side(source, "/path/to/inputSecretFile"), making)
        }
        None => qemu_img::create(&target, making).map(|line| vec![line]),
    };
    let commands = made.map(|lines| {
        let commands = lines.into_iter().map(|arguments| Command {
            program: qemu_img::PROGRAM,
            arguments,
        });
        wrapped(&commands.collect::<Vec<_>>())
    });
    case.check(commands.map_err(Refusal::later), &xml)
}

/// `storagebacking`.
pub(crate) fn backing(case: &Case) -> Held<()> {
    if case.text_req("op")? != "backing-parse" {
        return Err(Problem::unsupported("chains of images that nobody holds"));
    }
    let text = case.text_req("backing")?;
    let found = backing::parse(text).map_err(Refusal::reading);
    let Some(expected) = case.text("expect_xml")? else {
        return case.check_refused(found, text);
    };
    let found = found.map_err(|why| Problem::failed(format!("refused: {why}")))?;
    compare::value(
        "whether something is left out",
        case.number("result")? == Some(1),
        found.ignored,
    )?;
    // Cookies are secrets.
    let flags = Flags::SECURE;
    let source = match &found.source {
        StorageSource::File(source) => source.to_xml("source", flags),
        StorageSource::Block(source) => source.to_xml("source", flags),
        StorageSource::Dir(source) => source.to_xml("source", flags),
        StorageSource::Network(source) => source.to_xml("source", flags),
        StorageSource::Nvme(source) => source.to_xml("source", flags),
        other => return Err(Problem::failed(format!("it is of kind {:?}", other.kind()))),
    };
    compare::text(expected, &source)
}

/// Commands as the corpus writes them, where a backslash at a line end joins the next line.
fn wrapped(commands: &[Command]) -> String {
    let lines = commands.iter().map(|command| {
        let words = command.arguments.join(" \\\n");
        compare::joined(&format!("{} \\\n{words}\n", command.program))
    });
    lines.collect()
}

fn read_volume(
    case: &Case,
    (pool, volume): (&str, &str),
    rule: CapacityRule,
) -> Held<StorageVolume> {
    let refused = |what: &str, e: &dyn std::fmt::Display| {
        Problem::failed(format!("the {what} is refused: {e}"))
    };
    let pool = read_pool(&case.file(pool)?).map_err(|e| refused("pool", &e))?;
    let mut volume =
        StorageVolume::parse(&case.file(volume)?).map_err(|e| refused("volume", &e))?;
    volume
        .validate(pool.kind, rule)
        .map_err(|e| refused("volume", &e))?;
    volume.kind = (pool.kind == PoolType::Logical).then_some(VolumeType::Block);
    volume.complete(pool.kind);
    Ok(volume)
}

fn side<'a>(volume: &'a StorageVolume, secret: &str) -> Side<'a> {
    Side {
        volume,
        path: volume.target.path.as_deref().unwrap_or_default(),
        key: volume.target.encryption.as_ref().map(|_| Key {
            id: format!("{}_encrypt0", volume.name),
            file: secret.to_owned(),
        }),
    }
}

fn read_pool(xml: &str) -> Result<StoragePool, Refusal> {
    let mut pool = StoragePool::parse(xml).map_err(Refusal::reading)?;
    pool.complete(&mut Counting);
    pool.validate().map_err(Refusal::reading)?;
    Ok(pool)
}
