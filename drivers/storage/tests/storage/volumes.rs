//! What is done with volumes.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;

use virtbus_api::providers::GuestStorage;
use virtbus_api::storage::{StorageVolResizeFlags, StorageVolWipeAlgorithm};

use super::*;

async fn clone_of(
    driver: &StorageDriver,
    pool: &StoragePoolId,
    xml: &str,
    source: &StorageVolView,
) -> Result<Arc<StorageVolView>, virtbus_api::Error> {
    let flags = StorageVolCreateFlags::empty();
    driver.create_xml_from(pool, xml, &source.id, flags).await
}

fn read(host: &Host, name: &str) -> Vec<u8> {
    std::fs::read(host.path("images").join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_of_each_format_are_made_as_asked_for() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    for format in ["raw", "qcow2", "qed", "vmdk", "vdi"] {
        let name = format!("disk, 1.{format}");
        let view = make(&driver, &id, &volume(&name, format, ""))
            .await
            .unwrap();
        let xml = StorageVols::xml_desc(&*driver, &view.id).await.unwrap();
        assert!(xml.contains(&format!("<format type='{format}'/>")), "{xml}");
        let info = StorageVols::info(&*driver, &view.id, Default::default())
            .await
            .unwrap();
        assert_eq!(info.capacity, 2 << 20);
        let facts = std::fs::metadata(&*view.path).unwrap();
        assert_eq!(facts.permissions().mode() & 0o7777, 0o600);
    }
    let sparse = "<allocation>0</allocation>";
    let view = make(&driver, &id, &volume("sparse", "raw", sparse))
        .await
        .unwrap();
    assert_eq!(std::fs::metadata(&*view.path).unwrap().blocks(), 0);
    let xml = "<volume><name>special</name><capacity unit='MiB'>2</capacity><target><format type='qcow2'/>
        <permissions><mode>0640</mode></permissions><compat>1.1</compat>
        <clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/></features></target></volume>";
    let flags = StorageVolCreateFlags::PREALLOC_METADATA;
    let view = StorageVols::create_xml(&*driver, &id, xml, flags)
        .await
        .unwrap();
    let xml = StorageVols::xml_desc(&*driver, &view.id).await.unwrap();
    assert!(
        xml.contains("131072") && xml.contains("<lazy_refcounts/>"),
        "{xml}"
    );
    let facts = std::fs::metadata(&*view.path).unwrap();
    assert_eq!(facts.permissions().mode() & 0o7777, 0o640);
    assert!(!has_unfinished(&host.path("images")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_leaves_nothing() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let odd =
        "<volume><name>odd</name><capacity unit='MiB'>2</capacity><target><format type='qcow2'/>
        <clusterSize unit='B'>777</clusterSize></target></volume>";
    let huge = volume("huge", "raw", "").replace("'MiB'>2", "'PiB'>4000");
    let setuid = "<volume><name>s</name><capacity>1</capacity><target><permissions><mode>4755</mode></permissions></target></volume>";
    let encrypted = "<volume><name>e</name><capacity>1</capacity><target><format type='raw'/>
        <encryption format='luks'><secret type='passphrase' usage='x'/></encryption></target></volume>";
    for xml in [odd, &huge, setuid, encrypted, &volume("b", "bochs", "")] {
        let refused = make(&driver, &id, xml).await.unwrap_err();
        assert!(!refused.message.is_empty());
    }
    assert!(names(&driver, &id).await.is_empty());
    assert_eq!(std::fs::read_dir(host.path("images")).unwrap().count(), 0);
    // A file that came to be meanwhile stays as it is.
    std::fs::write(host.path("images/there"), "precious").unwrap();
    let exists = make(&driver, &id, &volume("there", "raw", ""))
        .await
        .unwrap_err();
    assert_eq!(exists.code, ErrorCode::StorageVolExist);
    assert_eq!(read(&host, "there"), b"precious");
    assert!(!has_unfinished(&host.path("images")));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_that_make_one_volume_one_has_made_it() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let all = (0..8).map(|number: u32| {
        let (driver, id) = (driver.clone(), id.clone());
        let format = if number.is_multiple_of(2) {
            "qcow2"
        } else {
            "raw"
        };
        tokio::spawn(async move { make(&driver, &id, &volume("one", format, "")).await })
    });
    let mut made = 0;
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => made += 1,
            Err(why) => assert_eq!(why.code, ErrorCode::StorageVolExist, "{why}"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(names(&driver, &id).await, ["one"]);
    assert!(!has_unfinished(&host.path("images")));
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_have_the_content_in_any_format_and_pool() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let other = host
        .active(&driver, "others", &UUID.replace('1', "4"))
        .await;
    let source = make(&driver, &id, &volume("source", "raw", ""))
        .await
        .unwrap();
    let mut content = vec![0; 2 << 20];
    content[4096..4106].copy_from_slice(b"guest data");
    std::fs::write(&*source.path, &content).unwrap();
    driver.refresh(&id).await.unwrap();

    let copied = clone_of(&driver, &other, &volume("copy", "raw", ""), &source)
        .await
        .unwrap();
    assert_eq!(std::fs::read(&*copied.path).unwrap(), content);
    let larger = volume("larger", "qcow2", "").replace("'MiB'>2", "'MiB'>3");
    let qcow2 = clone_of(&driver, &id, &larger, &copied).await.unwrap();
    let info = StorageVols::info(&*driver, &qcow2.id, Default::default())
        .await
        .unwrap();
    assert_eq!(info.capacity, 3 << 20);
    // What is based on another image in the same pool is whole in a clone.
    let based = format!(
        "<volume><name>based</name><target><format type='qcow2'/></target>
         <backingStore><path>{}</path><format type='qcow2'/></backingStore></volume>",
        qcow2.path
    );
    let based = make(&driver, &id, &based).await.unwrap();
    let xml = StorageVols::xml_desc(&*driver, &based.id).await.unwrap();
    assert!(
        xml.contains(&format!("<path>{}</path>", qcow2.path)),
        "{xml}"
    );
    let back = clone_of(&driver, &other, &volume("back", "raw", ""), &based)
        .await
        .unwrap();
    content.resize(3 << 20, 0);
    assert_eq!(std::fs::read(&*back.path).unwrap(), content);
    // One that is based on an image of another pool can be made and resized, and is not cloned: its header may be a guest's.
    let across = format!(
        "<volume><name>across</name><target><format type='qcow2'/></target>
         <backingStore><path>{}</path><format type='raw'/></backingStore></volume>",
        copied.path
    );
    let across = make(&driver, &id, &across).await.unwrap();
    driver
        .resize(&across.id, 8 << 20, Default::default())
        .await
        .unwrap();
    let refused = clone_of(&driver, &id, &volume("no", "raw", ""), &across).await;
    assert!(refused.unwrap_err().message.contains("backing image"));
    // Nobody deletes what is being cloned, and a pool of clones can be stopped afterwards.
    driver.destroy(&other).await.unwrap();
    assert!(!has_unfinished(&host.path("images")) && !has_unfinished(&host.path("others")));
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_change_their_size_and_are_wiped_and_removed() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let capacity = async |view: &StorageVolView| {
        let info = StorageVols::info(&*driver, &view.id, Default::default())
            .await
            .unwrap();
        info.capacity
    };
    use StorageVolResizeFlags as F;
    for format in ["raw", "qcow2"] {
        let view = make(&driver, &id, &volume("disk", format, ""))
            .await
            .unwrap();
        driver.resize(&view.id, 4 << 20, F::empty()).await.unwrap();
        assert_eq!(capacity(&view).await, 4 << 20);
        driver.resize(&view.id, 1 << 20, F::DELTA).await.unwrap();
        assert_eq!(capacity(&view).await, 5 << 20);
        let refused = driver
            .resize(&view.id, 1 << 20, F::empty())
            .await
            .unwrap_err();
        assert!(refused.message.contains("SHRINK"), "{refused}");
        driver.resize(&view.id, 1 << 20, F::SHRINK).await.unwrap();
        assert_eq!(capacity(&view).await, 1 << 20);
        assert!(driver.resize(&view.id, u64::MAX, F::DELTA).await.is_err());
        StorageVols::delete(&*driver, &view.id, Default::default())
            .await
            .unwrap();
        assert!(!Path::new(&*view.path).exists());
        assert!(capacity_is_absent(&driver, &view).await);
    }
    let view = make(&driver, &id, &volume("disk", "raw", ""))
        .await
        .unwrap();
    std::fs::write(&*view.path, vec![b'x'; 2 << 20]).unwrap();
    driver
        .wipe_pattern(&view.id, StorageVolWipeAlgorithm::Zero)
        .await
        .unwrap();
    assert!(read(&host, "disk").iter().all(|byte| *byte == 0));
    let trim = driver
        .wipe_pattern(&view.id, StorageVolWipeAlgorithm::Trim)
        .await;
    assert_eq!(trim.unwrap_err().code, ErrorCode::NoSupport);
}

async fn capacity_is_absent(driver: &StorageDriver, view: &StorageVolView) -> bool {
    let gone = StorageVols::info(driver, &view.id, Default::default()).await;
    gone.is_err_and(|why| why.code == ErrorCode::NoStorageVol)
}

#[tokio::test(flavor = "multi_thread")]
async fn content_goes_in_and_out_and_what_breaks_off_is_told() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    let view = make(&driver, &id, &volume("disk", "raw", ""))
        .await
        .unwrap();
    let content: Vec<u8> = (0..2_u32 << 20).map(|at| (at % 251) as u8).collect();
    let up = driver
        .upload(&view.id, 0, 0, Default::default())
        .await
        .unwrap();
    let data = content.clone();
    let writer = std::thread::spawn(move || {
        let mut stream = UnixStream::from(up.descriptor);
        stream.write_all(&data).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut came = [0; 8];
        stream.read_exact(&mut came).unwrap();
        u64::from_be_bytes(came)
    });
    assert_eq!(up.completion.await.unwrap(), 2 << 20);
    assert_eq!(writer.join().unwrap(), 2 << 20);
    assert_eq!(read(&host, "disk"), content);

    let down = driver
        .download(&view.id, 100, 1000, Default::default())
        .await
        .unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        UnixStream::from(down.descriptor)
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    });
    assert_eq!(down.completion.await.unwrap(), 1000);
    assert_eq!(reader.join().unwrap(), content[100..1100]);

    // While somebody reads, nobody changes; and who closes his end has ended the job.
    let down = driver
        .download(&view.id, 0, 0, Default::default())
        .await
        .unwrap();
    let stopped = driver.destroy(&id).await.unwrap_err();
    assert!(stopped.message.contains("being downloaded"), "{stopped}");
    drop(down.descriptor);
    let broken = down.completion.await.unwrap_err();
    assert!(broken.message.contains("closed the descriptor"), "{broken}");
    assert!(
        driver
            .upload(&view.id, 1, 2 << 20, Default::default())
            .await
            .is_err()
    );
    assert!(
        driver
            .download(&view.id, 3 << 20, 0, Default::default())
            .await
            .is_err()
    );

    // An image is uploaded into a volume of its format, and has its header then.
    let image = make(&driver, &id, &volume("image", "qcow2", ""))
        .await
        .unwrap();
    let from = make(
        &driver,
        &id,
        &volume("from", "qcow2", "").replace("'MiB'>2", "'GiB'>3"),
    )
    .await;
    let bytes = std::fs::read(&*from.unwrap().path).unwrap();
    let up = driver
        .upload(&image.id, 0, bytes.len() as u64, Default::default())
        .await
        .unwrap();
    let writer = std::thread::spawn(move || {
        let mut stream = UnixStream::from(up.descriptor);
        stream.write_all(&bytes).unwrap();
    });
    up.completion.await.unwrap();
    writer.join().unwrap();
    let info = StorageVols::info(&*driver, &image.id, Default::default())
        .await
        .unwrap();
    assert_eq!(info.capacity, 3 << 30);
    driver.destroy(&id).await.unwrap();
}

/// Whether the file system has attributes in which the format of a volume can be kept.
fn keeps_attributes(dir: &Path) -> Result<(), String> {
    let kind = if rustix::process::geteuid().is_root() {
        "trusted"
    } else {
        "user"
    };
    let flags = rustix::fs::XattrFlags::empty();
    let set = rustix::fs::setxattr(dir, format!("{kind}.virtbus.test"), b"x", flags);
    set.map_err(|errno| format!("needs attributes of files: {errno}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_finds_its_volume_and_never_by_what_the_content_looks_like() {
    let host = Host::new();
    let driver = host.open().await;
    let id = host.active(&driver, "images", UUID).await;
    virtbus_skip::or_skip!(keeps_attributes(&host.path("images")));
    make(&driver, &id, &volume("disk", "qcow2", ""))
        .await
        .unwrap();
    let found = GuestStorage::volume(&*driver, "images", "disk")
        .await
        .unwrap();
    assert_eq!(found.path, host.path("images/disk").to_str().unwrap());
    assert_eq!(found.format, "qcow2", "it was made so");
    let image = read(&host, "disk");
    make(&driver, &id, &volume("raw", "raw", "")).await.unwrap();
    // The guest writes the header of another format to its disk, and somebody puts a file there.
    std::fs::write(host.path("images/raw"), &image).unwrap();
    std::fs::write(host.path("images/found"), &image).unwrap();
    driver.refresh(&id).await.unwrap();
    for (name, shown) in [("raw", "raw"), ("found", "qcow2")] {
        let found = GuestStorage::volume(&*driver, "images", name)
            .await
            .unwrap();
        assert_eq!(
            found.format, "raw",
            "{name}: only the guest's definition says another one"
        );
        let view = StorageVols::view_by_name(&*driver, &id, name)
            .await
            .unwrap();
        let xml = StorageVols::xml_desc(&*driver, &view.id).await.unwrap();
        assert!(xml.contains(&format!("<format type='{shown}'/>")), "{xml}");
    }
    let raw = StorageVols::view_by_name(&*driver, &id, "raw")
        .await
        .unwrap();
    let small = volume("copy", "raw", "").replace("'MiB'>2", "'B'>1");
    let copy = clone_of(&driver, &id, &small, &raw).await.unwrap();
    assert_eq!(
        std::fs::read(&*copy.path).unwrap(),
        image,
        "its bytes, not what they mean"
    );
    // A client that writes all of it says by that what it is.
    let up = driver
        .upload(&raw.id, 0, 0, Default::default())
        .await
        .unwrap();
    let writer = std::thread::spawn(move || {
        UnixStream::from(up.descriptor).write_all(&image).unwrap();
    });
    up.completion.await.unwrap();
    writer.join().unwrap();
    let found = GuestStorage::volume(&*driver, "images", "raw")
        .await
        .unwrap();
    assert_eq!(found.format, "qcow2");
    let gone = GuestStorage::volume(&*driver, "images", "none")
        .await
        .unwrap_err();
    assert_eq!(gone.code, ErrorCode::NoStorageVol);
    driver.destroy(&id).await.unwrap();
    let off = GuestStorage::volume(&*driver, "images", "disk")
        .await
        .unwrap_err();
    assert_eq!(off.code, ErrorCode::OperationInvalid);
}
