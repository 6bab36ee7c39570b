//! Disks.

use virtbus_conf_base::Result;
use virtbus_conf_domain::domain::devices::disk::Disk;
use virtbus_conf_storage::storage::ImageFormat;

pub(super) fn complete(disk: &mut Disk) -> Result<()> {
    // No format is guessed: what a guest writes into its image could make it another one.
    let driver = disk.head.driver.get_or_insert_default();
    driver.name.get_or_insert_with(|| "qemu".into());
    driver.format.get_or_insert(ImageFormat::Raw);
    Ok(())
}
