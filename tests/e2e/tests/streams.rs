//! Content that goes through descriptors: whoever has one learns whether all of it came through, also from a daemon that is killed.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::time::Duration;

use rustix::fs::fstat;
use virtbus_tests::client::{CONNECT, CallError, Client, DOMAIN};
use virtbus_tests::wait::patient;
use virtbus_tests::walk::objects::TEST;
use virtbus_tests::{Testbed, or_skip};
use zbus::OwnedObjectPath;

const STORAGE_POOL: &str = "org.libvirt.StoragePool";
const STORAGE_VOL: &str = "org.libvirt.StorageVol";

/// The driver alone, without what guests need.
async fn testbed() -> Result<Testbed, String> {
    Testbed::start(&["--drivers", "test"]).await
}

/// Makes a volume of so many MiB; its path.
async fn volume(client: &Client, mib: u32) -> String {
    let connect = client.object(TEST, CONNECT);
    let pool: OwnedObjectPath = connect
        .call("StoragePoolLookupByName", &("default-pool",))
        .await
        .unwrap();
    let xml = format!(
        "<volume><name>v{mib}</name><capacity unit='MiB'>{mib}</capacity><allocation>0</allocation></volume>"
    );
    let pool = client.object(pool.as_str(), STORAGE_POOL);
    let path: OwnedObjectPath = pool
        .call("StorageVolCreateXML", &(xml, 0_u32))
        .await
        .unwrap();
    path.to_string()
}

/// Begins a transfer of a volume's content: what to read from or write to, and the number of the stream.
async fn begin(client: &Client, volume: &str, method: &str) -> Result<(Socket, u64), CallError> {
    let volume = client.object(volume, STORAGE_VOL);
    let descriptor: zbus::OwnedFd = volume.call(method, &(0_u64, 0_u64, 0_u32)).await?;
    let descriptor = OwnedFd::from(descriptor);
    let number = fstat(&descriptor).unwrap().st_ino;
    let socket = Socket::from(descriptor);
    let limit = Some(patient(Duration::from_secs(20)));
    socket.set_read_timeout(limit).unwrap();
    Ok((socket, number))
}

/// How a stream ended, as the client is told.
async fn end(client: &Client, number: u64) -> Result<u64, CallError> {
    let connect = client.object(TEST, CONNECT);
    connect.call("StreamFinish", &(number,)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_learns_when_all_is_safe_and_who_reads_that_all_came() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let volume = volume(client, 4).await;
    let (mut socket, upload) = begin(client, &volume, "Upload").await.unwrap();
    socket.write_all(&[7; 1 << 20]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut told = [0; 8];
    socket.read_exact(&mut told).unwrap();
    assert_eq!(u64::from_be_bytes(told), 1 << 20);
    assert_eq!(end(client, upload).await.unwrap(), 1 << 20);
    let (mut socket, download) = begin(client, &volume, "Download").await.unwrap();
    let mut content = Vec::new();
    socket.read_to_end(&mut content).unwrap();
    assert_eq!(content.len(), 4 << 20);
    assert!(content[..1 << 20].iter().all(|byte| *byte == 7));
    // Also when the descriptor is closed, and as often as it is asked.
    drop(socket);
    for _ in 0..2 {
        assert_eq!(end(client, download).await.unwrap(), 4 << 20);
    }
    // Who closes the descriptor has ended the upload, and may ask.
    let (mut socket, upload) = begin(client, &volume, "Upload").await.unwrap();
    socket.write_all(b"abc").unwrap();
    drop(socket);
    assert_eq!(end(client, upload).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_says_so_at_its_end_and_why_when_asked() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let volume = volume(client, 64).await;
    // More than the test driver keeps.
    let (mut socket, upload) = begin(client, &volume, "Upload").await.unwrap();
    let _ = socket.write_all(&vec![1; 40 << 20]);
    let _ = socket.shutdown(Shutdown::Write);
    assert!(socket.read_exact(&mut [0; 8]).is_err());
    let error = end(client, upload).await.unwrap_err();
    assert!(error.to_string().contains("16 MiB"), "{error}");
    // Broken off by the client.
    let (mut socket, download) = begin(client, &volume, "Download").await.unwrap();
    let connect = client.object(TEST, CONNECT);
    connect
        .call::<_, ()>("StreamAbort", &(download,))
        .await
        .unwrap();
    let broken = socket.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
    let error = end(client, download).await.unwrap_err();
    assert!(error.to_string().contains("aborted"), "{error}");
    let error = connect.call::<_, ()>("StreamAbort", &(download,)).await;
    assert!(error.unwrap_err().to_string().contains("has ended already"));
    // Streams are those of one client, and nobody else's.
    let other = Client::connect(testbed.bus.address()).await.unwrap();
    for (who, number) in [(&other, upload), (client, 1)] {
        let error = end(who, number).await.unwrap_err();
        assert!(error.to_string().contains("unknown stream"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_whose_daemon_is_killed_is_not_taken_for_whole() {
    let mut testbed = or_skip!(testbed().await);
    let volume = volume(&testbed.client, 64).await;
    let (mut socket, _) = begin(&testbed.client, &volume, "Download").await.unwrap();
    let mut first = [1; 1000];
    socket.read_exact(&mut first).unwrap();
    testbed.crash_and_restart().await;
    let mut rest = Vec::new();
    let broken = socket.read_to_end(&mut rest).unwrap_err();
    assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
    assert!(rest.len() < 64 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_have_a_limit_and_a_place_is_free_when_one_ends() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let volume = volume(client, 64).await;
    let mut streams = Vec::new();
    let refused = loop {
        match begin(client, &volume, "Download").await {
            Ok(stream) => streams.push(stream),
            Err(error) => break error,
        }
    };
    assert!((1..=16).contains(&streams.len()), "{}", streams.len());
    assert!(
        refused.to_string().contains("too many streams"),
        "{refused}"
    );
    // All of them are at it, and no other call waits for them.
    let connect = client.object(TEST, CONNECT);
    let found: Vec<OwnedObjectPath> = connect.call("ListDomains", &(0_u32,)).await.unwrap();
    assert_eq!(found.len(), 1);
    let (socket, number) = streams.pop().unwrap();
    drop(socket);
    assert!(end(client, number).await.is_err());
    let again = begin(client, &volume, "Download").await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_screen_comes_whole() {
    let testbed = or_skip!(testbed().await);
    let client = &testbed.client;
    let connect = client.object(TEST, CONNECT);
    let domain: OwnedObjectPath = connect
        .call("DomainLookupByName", &("test",))
        .await
        .unwrap();
    let domain = client.object(domain.as_str(), DOMAIN);
    let (kind, image): (String, zbus::OwnedFd) =
        domain.call("Screenshot", &(0_u32, 0_u32)).await.unwrap();
    assert!(kind.starts_with("image/"));
    let image = OwnedFd::from(image);
    let number = fstat(&image).unwrap().st_ino;
    let mut content = Vec::new();
    Socket::from(image).read_to_end(&mut content).unwrap();
    assert!(content.starts_with(b"P6"));
    assert_eq!(end(client, number).await.unwrap(), content.len() as u64);
}
