//! Storage pools and volumes, as a client of the QEMU connection has them: with real images, over the daemon's death, on real file systems.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::fstat;
use virtbus_tests::client::{CallError, Client, Object};
use virtbus_tests::mounts::Mount;
use virtbus_tests::wait::{patient, wait_for_async};
use virtbus_tests::{DomainXml, Testbed, need, or_skip, skip};
use zbus::{OwnedObjectPath, Variant};

const POOL: &str = "org.libvirt.StoragePool";
const VOLUME: &str = "org.libvirt.StorageVol";
const LIMIT: Duration = Duration::from_secs(60);

/// Flags of a pool's start: it is built first.
const WITH_BUILD: u32 = 1;
const WITH_BUILD_OVERWRITE: u32 = 2;
const WITH_BUILD_NO_OVERWRITE: u32 = 4;

/// A stream has records.
const SPARSE_STREAM: u32 = 1;

fn document(name: &str, kind: &str, source: &str, path: &Path) -> String {
    let path = path.display();
    format!(
        "<pool type='{kind}'><name>{name}</name>{source}<target><path>{path}</path></target></pool>"
    )
}

async fn define(client: &Client, xml: &str) -> Object {
    let body = (xml, 0_u32);
    let path: OwnedObjectPath = client
        .qemu()
        .call("StoragePoolDefineXML", &body)
        .await
        .unwrap();
    client.object(path.as_str(), POOL)
}

/// A pool that is active, in a directory of the testbed.
async fn active(testbed: &Testbed, name: &str) -> (Object, PathBuf) {
    let path = testbed.path(name);
    let pool = define(&testbed.client, &document(name, "dir", "", &path)).await;
    let () = pool.call("Create", &(WITH_BUILD,)).await.unwrap();
    (pool, path)
}

fn volume(name: &str, format: &str, mib: u32) -> String {
    format!(
        "<volume><name>{name}</name><capacity unit='MiB'>{mib}</capacity><allocation>0</allocation>\
         <target><format type='{format}'/></target></volume>"
    )
}

async fn make(client: &Client, pool: &Object, xml: &str) -> Result<Object, CallError> {
    let path: OwnedObjectPath = pool.call("StorageVolCreateXML", &(xml, 0_u32)).await?;
    Ok(client.object(path.as_str(), VOLUME))
}

async fn listed(pool: &Object) -> Vec<OwnedObjectPath> {
    pool.call("ListStorageVolumes", &(0_u32,)).await.unwrap()
}

fn unfinished(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with(".virtbus-"))
        .count()
}

/// Waits until something holds.
async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    wait_for_async(what, LIMIT, async || holds().await.then_some(())).await;
}

fn sh(line: &str) -> Result<String, String> {
    let output = Command::new("/bin/sh").args(["-c", line]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() {
        Ok(said.trim().to_owned())
    } else {
        Err(format!("{line}: {said}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_a_thousand_images_is_there_after_the_daemon_was_killed() {
    or_skip!(need::program("qemu-img"));
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let (pool, dir) = active(&testbed, "images").await;
    pool.set("Autostart", Variant::from(true)).await.unwrap();
    let path = pool.path().to_owned();
    let image = make(&testbed.client, &pool, &volume("image", "qcow2", 10))
        .await
        .unwrap();
    let xml: String = image.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    assert!(xml.contains("<format type='qcow2'/>"), "{xml}");
    for number in 1..1000 {
        fs::copy(dir.join("image"), dir.join(format!("copy-{number}"))).unwrap();
    }
    wait_until("all are volumes", async || {
        listed(&pool).await.len() == 1000
    })
    .await;
    testbed.crash_and_restart().await;

    let client = &testbed.client;
    let pool = client.object(&path, POOL);
    assert!(pool.get::<bool>("Active").await.unwrap());
    assert_eq!(listed(&pool).await.len(), 1000);
    let key = dir.join("copy-500").display().to_string();
    let found: OwnedObjectPath = client
        .qemu()
        .call("StorageVolLookupByKey", &(&key,))
        .await
        .unwrap();
    let found = client.object(found.as_str(), VOLUME);
    let (kind, capacity, _): (i32, u64, u64) = found.call("GetInfo", &(0_u32,)).await.unwrap();
    assert_eq!((kind, capacity), (0, 10 << 20));
    let () = found.call("Delete", &(0_u32,)).await.unwrap();
    assert!(!Path::new(&key).exists());
    assert_eq!(listed(&pool).await.len(), 999);
    let () = pool.call("Destroy", &()).await.unwrap();
    assert!(!pool.get::<bool>("Active").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_while_it_clones_leaves_the_source_and_no_half_volume() {
    or_skip!(need::program("qemu-img"));
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let (pool, dir) = active(&testbed, "images").await;
    let path = pool.path().to_owned();
    make(&testbed.client, &pool, &volume("source", "raw", 2048))
        .await
        .unwrap();
    let key = dir.join("source").display().to_string();
    for (name, format) in [("image", "qcow2"), ("copy", "raw")] {
        let mut mib = 64;
        // As much as a clone takes to last until the daemon is gone.
        while !killed_while_cloning(&mut testbed, &path, &key, (name, format)).await {
            if mib > 512 {
                skip!("needs a disk that is slower than this one");
            }
            let mut source = fs::File::options().append(true).open(&key).unwrap();
            source.set_len(0).unwrap();
            if source.write_all(&vec![0x5a; mib << 20]).is_err() {
                skip!("needs {mib} MiB of disk");
            }
            source.set_len(2048 << 20).unwrap();
            mib *= 2;
        }
        testbed.daemon.start(&testbed.client).await;
        let pool = testbed.client.object(&path, POOL);
        assert_eq!(unfinished(&dir), 0);
        assert!(!dir.join(name).exists());
        assert_eq!(listed(&pool).await.len(), 1);
        assert_eq!(fs::metadata(&key).unwrap().len(), 2048 << 20);
    }
    // Nothing is in the way of the same clone.
    let pool = testbed.client.object(&path, POOL);
    let body = (volume("image", "qcow2", 2048), key, 0_u32);
    let _: OwnedObjectPath = pool.call("StorageVolCreateXMLFrom", &body).await.unwrap();
    let compared = sh(&format!(
        "cd {} && qemu-img compare -q -f raw -F qcow2 source image",
        dir.display()
    ));
    assert_eq!(compared, Ok(String::new()));
}

/// Kills the daemon as soon as it has begun to clone; `false` if the clone was faster, which is gone then.
async fn killed_while_cloning(
    testbed: &mut Testbed,
    pool: &str,
    key: &str,
    (name, format): (&str, &str),
) -> bool {
    let pool = testbed.client.object(pool, POOL);
    let body = (volume(name, format, 2048), key.to_owned(), 0_u32);
    let cloning = tokio::spawn(async move {
        let made: Result<OwnedObjectPath, CallError> =
            pool.call("StorageVolCreateXMLFrom", &body).await;
        made
    });
    let dir = Path::new(key).parent().unwrap();
    wait_until("the clone is being made", async || {
        unfinished(dir) > 0 || dir.join(name).exists()
    })
    .await;
    if unfinished(dir) > 0 && !dir.join(name).exists() {
        testbed.daemon.kill();
        if cloning.await.unwrap().is_err() && !dir.join(name).exists() {
            return true;
        }
        testbed.daemon.start(&testbed.client).await;
    } else {
        cloning.await.unwrap().unwrap();
    }
    fs::remove_file(dir.join(name)).unwrap();
    false
}

/// Begins a transfer of a volume's content: what to read from or write to, and the number of the stream.
async fn begin(volume: &Object, method: &str, flags: u32) -> (UnixStream, u64) {
    let body = (0_u64, 0_u64, flags);
    let descriptor: zbus::OwnedFd = volume.call(method, &body).await.unwrap();
    let descriptor = OwnedFd::from(descriptor);
    let number = fstat(&descriptor).unwrap().st_ino;
    let socket = UnixStream::from(descriptor);
    socket.set_read_timeout(Some(patient(LIMIT))).unwrap();
    (socket, number)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_told_of_and_leaves_a_volume_that_can_be_used() {
    let testbed = or_skip!(Testbed::start(&[]).await);
    let client = &testbed.client;
    let (pool, dir) = active(&testbed, "images").await;
    let disk = make(client, &pool, &volume("disk", "raw", 4))
        .await
        .unwrap();
    let end = async |number: u64| {
        let ended: Result<u64, CallError> = client.qemu().call("StreamFinish", &(number,)).await;
        ended
    };
    let (mut socket, number) = begin(&disk, "Upload", SPARSE_STREAM).await;
    let mut record = vec![b'D'];
    record.extend((1_u64 << 20).to_be_bytes());
    record.extend([7; 1000]);
    socket.write_all(&record).unwrap();
    drop(socket);
    let broken = end(number).await.unwrap_err();
    assert!(broken.to_string().contains("disk"), "{broken}");

    let (mut socket, number) = begin(&disk, "Upload", 0).await;
    socket.write_all(&[9; 1 << 20]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end(number).await.unwrap(), 1 << 20);
    let (mut socket, number) = begin(&disk, "Download", 0).await;
    let mut content = Vec::new();
    socket.read_to_end(&mut content).unwrap();
    assert_eq!(end(number).await.unwrap(), 4 << 20);
    assert_eq!(content, fs::read(dir.join("disk")).unwrap());
    assert!(content[..1 << 20].iter().all(|byte| *byte == 9));
    let () = disk.call("Wipe", &(0_u32, 0_u32)).await.unwrap();
    assert!(
        fs::read(dir.join("disk"))
            .unwrap()
            .iter()
            .all(|byte| *byte == 0)
    );
    let refused: Result<(), CallError> = disk.call("Wipe", &(9_u32, 0_u32)).await;
    assert!(refused.unwrap_err().to_string().contains("trim"));
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_directory_that_hangs_holds_up_its_own_pool_only() {
    let testbed = or_skip!(Testbed::start(&[]).await);
    let client = &testbed.client;
    let (stuck, dir) = active(&testbed, "stuck").await;
    let (well, _) = active(&testbed, "well").await;
    let disk = make(client, &stuck, &volume("disk", "raw", 1))
        .await
        .unwrap();
    let hung = or_skip!(Mount::silent(&dir));
    let refreshing = {
        let stuck = client.object(stuck.path(), POOL);
        tokio::spawn(async move {
            let refreshed: Result<(), CallError> = stuck.call("Refresh", &(0_u32,)).await;
            refreshed
        })
    };
    for round in 0..3 {
        let name = format!("disk-{round}");
        make(client, &well, &volume(&name, "raw", 1)).await.unwrap();
        let () = well.call("Refresh", &(0_u32,)).await.unwrap();
        assert_eq!(listed(&stuck).await.len(), 1);
        let _: String = disk.call("GetXMLDesc", &(0_u32,)).await.unwrap();
        let _: String = stuck.call("GetXMLDesc", &(0_u32,)).await.unwrap();
        let pools: Vec<OwnedObjectPath> = client
            .qemu()
            .call("ListStoragePools", &(0_u32,))
            .await
            .unwrap();
        assert_eq!(pools.len(), 2);
    }
    let refused = refreshing.await.unwrap().unwrap_err();
    assert!(
        refused.to_string().contains("has not answered"),
        "{refused}"
    );
    // Its state says so: 4 is inaccessible.
    let (state, ..): (i32, u64, u64, u64) = stuck.call("GetInfo", &()).await.unwrap();
    assert_eq!(state, 4);
    drop(hung);
    wait_until("it answers again", async || {
        let refreshed: Result<(), CallError> = stuck.call("Refresh", &(0_u32,)).await;
        refreshed.is_ok()
    })
    .await;
    let (state, ..): (i32, u64, u64, u64) = stuck.call("GetInfo", &()).await.unwrap();
    assert_eq!(state, 2);
}

/// A file as a block device; taken away when dropped, with what is mounted of it.
struct Loop {
    device: String,
    at: PathBuf,
}

impl Loop {
    fn new(file: &Path, at: &Path) -> Result<Self, String> {
        need::root()?;
        for program in ["losetup", "mkfs.ext4", "blkid"] {
            need::program(program)?;
        }
        fs::File::create(file).unwrap().set_len(64 << 20).unwrap();
        let device = sh(&format!("losetup --find --show {}", file.display()));
        Ok(Self {
            device: device.map_err(|why| format!("needs a loop device: {why}"))?,
            at: at.to_owned(),
        })
    }

    fn is_mounted(&self) -> bool {
        let list = fs::read_to_string("/proc/self/mountinfo").unwrap();
        list.contains(&format!(" {} ", self.at.display()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if self.is_mounted() {
            let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        }
        let _ = Command::new("losetup").args(["-d", &self.device]).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_file_system_on_a_device_is_made_mounted_and_unmounted() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let at = testbed.path("mounted");
    let device = or_skip!(Loop::new(&testbed.path("device"), &at));
    let source = format!(
        "<source><device path='{}'/><format type='ext4'/></source>",
        device.device
    );
    let xml = document("fs", "fs", &source, &at);
    let pool = define(&testbed.client, &xml).await;
    let path = pool.path().to_owned();
    let nothing_on_it: Result<(), CallError> = pool.call("Create", &(WITH_BUILD,)).await;
    let refused = nothing_on_it.unwrap_err().to_string();
    assert!(refused.contains("mount"), "{refused}");
    let () = pool
        .call("Create", &(WITH_BUILD_NO_OVERWRITE,))
        .await
        .unwrap();
    assert!(device.is_mounted());
    make(&testbed.client, &pool, &volume("disk", "raw", 4))
        .await
        .unwrap();
    let (state, capacity, ..): (i32, u64, u64, u64) = pool.call("GetInfo", &()).await.unwrap();
    assert_eq!(state, 2);
    assert!(capacity < 64 << 20, "it is that of the device: {capacity}");

    testbed.crash_and_restart().await;
    let pool = testbed.client.object(&path, POOL);
    assert!(pool.get::<bool>("Active").await.unwrap());
    // lost+found is one, as with libvirt.
    assert_eq!(listed(&pool).await.len(), 2);
    // Something that is in use stays mounted, and the pool stays as it was.
    let held = fs::File::open(at.join("disk")).unwrap();
    let busy: Result<(), CallError> = pool.call("Destroy", &()).await;
    let busy = busy.unwrap_err().to_string();
    assert!(busy.contains("unmounted"), "{busy}");
    assert!(pool.get::<bool>("Active").await.unwrap() && device.is_mounted());
    make(&testbed.client, &pool, &volume("other", "raw", 1))
        .await
        .unwrap();
    drop(held);
    let () = pool.call("Destroy", &()).await.unwrap();
    assert!(!device.is_mounted());
    // What is on a device is not written over, unless it is wanted.
    let kept: Result<(), CallError> = pool.call("Create", &(WITH_BUILD_NO_OVERWRITE,)).await;
    assert!(
        kept.unwrap_err()
            .to_string()
            .contains("has something on it")
    );
    let () = pool.call("Create", &(0_u32,)).await.unwrap();
    assert_eq!(listed(&pool).await.len(), 3);
    let () = pool.call("Destroy", &()).await.unwrap();
    let () = pool.call("Create", &(WITH_BUILD_OVERWRITE,)).await.unwrap();
    assert!(!at.join("disk").exists());
    let () = pool.call("Destroy", &()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_disk_that_is_full_or_read_only_leaves_what_was_there() {
    let testbed = or_skip!(Testbed::start(&[]).await);
    let client = &testbed.client;
    let (pool, dir) = active(&testbed, "small").await;
    let () = pool.call("Destroy", &()).await.unwrap();
    let small = or_skip!(Mount::small(&dir));
    let () = pool.call("Create", &(0_u32,)).await.unwrap();
    let disk = make(client, &pool, &volume("disk", "raw", 2))
        .await
        .unwrap();
    let whole = volume("full", "raw", 2).replace("<allocation>0</allocation>", "");
    let preallocated = volume("image", "qcow2", 2).replace("<allocation>0</allocation>", "");
    let refused = make(client, &pool, &whole).await.unwrap_err().to_string();
    assert!(refused.contains("No space left"), "{refused}");
    // Metadata in advance, with all that it tells of.
    let made: Result<OwnedObjectPath, CallError> = pool
        .call("StorageVolCreateXML", &(preallocated, 1_u32))
        .await;
    assert!(made.unwrap_err().to_string().contains("No space left"));
    let (mut socket, number) = begin(&disk, "Upload", 0).await;
    let written = socket.write_all(&[1; 2 << 20]);
    drop((written, socket));
    let broken: Result<u64, CallError> = client.qemu().call("StreamFinish", &(number,)).await;
    assert!(broken.unwrap_err().to_string().contains("No space left"));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let () = disk.call("Delete", &(0_u32,)).await.unwrap();
    make(client, &pool, &volume("disk", "raw", 2))
        .await
        .unwrap();
    let () = pool.call("Destroy", &()).await.unwrap();
    drop(small);

    fs::write(dir.join("there"), "precious").unwrap();
    let read_only = or_skip!(Mount::read_only(&dir));
    let () = pool.call("Create", &(0_u32,)).await.unwrap();
    let refused = make(client, &pool, &volume("new", "raw", 1))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("Read-only"), "{refused}");
    let there = listed(&pool).await;
    let there = client.object(there[0].as_str(), VOLUME);
    let kept: Result<(), CallError> = there.call("Delete", &(0_u32,)).await;
    assert!(kept.unwrap_err().to_string().contains("Read-only"));
    assert_eq!(listed(&pool).await.len(), 1);
    let () = pool.call("Destroy", &()).await.unwrap();
    drop(read_only);
    assert_eq!(fs::read(dir.join("there")).unwrap(), b"precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_a_disk_that_is_a_volume_as_long_as_its_pool_is_active() {
    or_skip!(need::program("qemu-img"));
    let testbed = or_skip!(Testbed::with_qemu().await);
    let client = &testbed.client;
    let (pool, dir) = active(&testbed, "images").await;
    make(client, &pool, &volume("disk", "qcow2", 4))
        .await
        .unwrap();
    let disk = "<disk type='volume' device='disk'><source pool='images' volume='disk'/><target dev='sda' bus='scsi'/></disk>\
        <controller type='scsi' model='virtio-scsi'/>";
    let guest = testbed
        .define(&DomainXml::small("guest").device(disk))
        .await;
    guest.act("Create", 0).await.unwrap();
    let live = guest.xml(0).await.unwrap();
    assert!(
        live.contains(&dir.join("disk").display().to_string()),
        "{live}"
    );
    assert!(live.contains("type='qcow2'"), "it was made so: {live}");
    guest.act("Destroy", 0).await.unwrap();
    let stored = guest.xml(0).await.unwrap();
    assert!(stored.contains("pool='images' volume='disk'"), "{stored}");
    let () = pool.call("Destroy", &()).await.unwrap();
    let off = guest.act("Create", 0).await.unwrap_err().to_string();
    assert!(off.contains("'images' is not active"), "{off}");
    let () = pool.call("Create", &(0_u32,)).await.unwrap();
    fs::remove_file(dir.join("disk")).unwrap();
    let () = pool.call("Refresh", &(0_u32,)).await.unwrap();
    let gone = guest.act("Create", 0).await.unwrap_err().to_string();
    assert!(gone.contains("disk"), "{gone}");
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_volume_is_opened_with_its_secret_which_is_nowhere_else() {
    or_skip!(need::program("qemu-img"));
    let testbed = or_skip!(Testbed::start(&[]).await);
    let client = &testbed.client;
    let (pool, dir) = active(&testbed, "images").await;
    let path = dir.join("disk").display().to_string();
    let secret = format!(
        "<secret ephemeral='no' private='yes'><usage type='volume'><volume>{path}</volume></usage></secret>"
    );
    let secret: OwnedObjectPath = client
        .qemu()
        .call("SecretDefineXML", &(secret, 0_u32))
        .await
        .unwrap();
    let secret = client.object(secret.as_str(), "org.libvirt.Secret");
    let () = secret
        .call("SetValue", &(b"zqx-pass".as_slice(), 0_u32))
        .await
        .unwrap();
    let xml = format!(
        "<volume><name>disk</name><capacity unit='MiB'>4</capacity><target><format type='raw'/>\
         <encryption format='luks'><secret type='passphrase' usage='{path}'/></encryption></target></volume>"
    );
    // QEMU measures how fast the processor is, and gives up if the clock stands still meanwhile.
    let mut made = make(client, &pool, &xml).await;
    for _ in 0..20 {
        let unmeasured = |why: &CallError| why.to_string().contains("accurate CPU usage");
        if !made.as_ref().is_err_and(unmeasured) {
            break;
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        made = make(client, &pool, &xml).await;
    }
    let disk = made.unwrap();
    let xml: String = disk.call("GetXMLDesc", &(0_u32,)).await.unwrap();
    assert!(
        xml.contains("<encryption format='luks'") && !xml.contains("zqx"),
        "{xml}"
    );
    let (_, capacity, _): (i32, u64, u64) = disk.call("GetInfo", &(0_u32,)).await.unwrap();
    assert_eq!(capacity, 4 << 20);
    fs::write(testbed.path("key"), "zqx-pass").unwrap();
    let opened = sh(&format!(
        "qemu-img convert --object secret,id=k,file={} --image-opts -O raw driver=luks,key-secret=k,file.filename={path} {}",
        testbed.path("key").display(),
        testbed.path("plain").display()
    ));
    opened.unwrap();
    fs::remove_file(testbed.path("key")).unwrap();
    let log = fs::read_to_string(testbed.daemon.log_path()).unwrap();
    assert!(!log.contains("zqx"));
    // A clone of it is opened by the secret that has its path for its usage.
    let body = (volume("plain", "raw", 4), path, 0_u32);
    let _: OwnedObjectPath = pool.call("StorageVolCreateXMLFrom", &body).await.unwrap();
    let clear = fs::read(dir.join("plain")).unwrap();
    assert_eq!(clear, fs::read(testbed.path("plain")).unwrap());
}
