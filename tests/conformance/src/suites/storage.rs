//! Storage pools, their volumes and their capabilities.

use serde_json::Value;
use virtbus_conf_base::Flags;
use virtbus_conf_storage::storage_pool::{PoolType, StoragePool};
use virtbus_conf_storage::storage_pool_capabilities::StoragePoolCapabilities;
use virtbus_conf_storage::storage_volume::{CapacityRule, StorageVolume};

use crate::case::Case;
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

fn read_pool(xml: &str) -> Result<StoragePool, Refusal> {
    let mut pool = StoragePool::parse(xml).map_err(Refusal::reading)?;
    pool.complete(&mut Counting);
    pool.validate().map_err(Refusal::reading)?;
    Ok(pool)
}
