//! The content of volumes, and pictures of screens, through descriptors.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Socket;

use tokio::task::spawn_blocking;
use virtbus_api::storage::{
    StorageVolCreateFlags, StorageVolDeleteFlags, StorageVolId, StorageVolTransferFlags as Flags,
    StorageVols, Transfer,
};

use super::*;

/// What somebody reads, and how the transfer ended.
pub(super) async fn downloaded(transfer: Transfer) -> (io::Result<Vec<u8>>, Result<u64>) {
    let Transfer {
        descriptor,
        completion,
    } = transfer;
    let read = spawn_blocking(move || {
        let mut content = Vec::new();
        Socket::from(descriptor).read_to_end(&mut content)?;
        Ok(content)
    });
    let (read, ended) = tokio::join!(read, completion);
    (read.unwrap(), ended)
}

/// What somebody who writes is told, and how the transfer ended.
async fn uploaded(transfer: Transfer, content: Vec<u8>) -> (Option<u64>, Result<u64>) {
    let Transfer {
        descriptor,
        completion,
    } = transfer;
    let write = spawn_blocking(move || {
        let mut socket = Socket::from(descriptor);
        // Who is refused may find the other end closed.
        let _ = socket.write_all(&content);
        let _ = socket.shutdown(Shutdown::Write);
        let mut told = [0; 8];
        socket.read_exact(&mut told).ok()?;
        Some(u64::from_be_bytes(told))
    });
    let (told, ended) = tokio::join!(write, completion);
    (told.unwrap(), ended)
}

async fn volume(test: &Test, name: &str, capacity: u64) -> StorageVolId {
    let pools = test.storage_pools().unwrap();
    let pool = pools.view_by_name("default-pool").await.unwrap();
    let xml = format!(
        "<volume><name>{name}</name><capacity>{capacity}</capacity><allocation>0</allocation></volume>"
    );
    let made = volumes(test).create_xml(&pool.id, &xml, StorageVolCreateFlags::empty());
    made.await.unwrap().id.clone()
}

fn volumes(test: &Test) -> &dyn StorageVols {
    test.storage_vols().unwrap()
}

const PLAIN: Flags = Flags::empty();

#[tokio::test]
async fn what_was_uploaded_is_downloaded() {
    let (test, _) = open().await;
    let volumes = volumes(&test);
    let id = volume(&test, "disk", 1 << 20).await;
    let (zeroes, ended) = downloaded(volumes.download(&id, 0, 0, PLAIN).await.unwrap()).await;
    assert!(zeroes.unwrap() == vec![0; 1 << 20]);
    assert_eq!(ended.unwrap(), 1 << 20);
    let upload = volumes.upload(&id, 100, 0, PLAIN).await.unwrap();
    let (told, ended) = uploaded(upload, b"content".to_vec()).await;
    assert_eq!((told, ended.unwrap()), (Some(7), 7));
    let part = volumes.download(&id, 99, 9, PLAIN).await.unwrap();
    let (part, ended) = downloaded(part).await;
    assert_eq!(
        (part.unwrap(), ended.unwrap()),
        (b"\0content\0".to_vec(), 9)
    );
    let rest = volumes.download(&id, (1 << 20) - 2, 100, PLAIN).await;
    assert_eq!(downloaded(rest.unwrap()).await.1.unwrap(), 2);
    // Another volume is made from it.
    let xml =
        "<volume><name>copy</name><capacity>2097152</capacity><allocation>0</allocation></volume>";
    let flags = StorageVolCreateFlags::empty();
    let copy = volumes
        .create_xml_from(&id.pool, xml, &id, flags)
        .await
        .unwrap();
    let part = volumes.download(&copy.id, 99, 9, PLAIN).await.unwrap();
    assert_eq!(downloaded(part).await.0.unwrap(), b"\0content\0");
    let small = xml.replace("copy", "small").replace("2097152", "50");
    let refused = volumes.create_xml_from(&id.pool, &small, &id, flags).await;
    assert_eq!(code(refused), ErrorCode::OperationFailed);
    assert!(volumes.view_by_name(&id.pool, "small").await.is_err());
}

#[tokio::test]
async fn holes_stay_holes() {
    let (test, _) = open().await;
    let volumes = volumes(&test);
    let id = volume(&test, "huge", 1 << 40).await;
    let upload = volumes.upload(&id, 1 << 30, 0, PLAIN).await.unwrap();
    uploaded(upload, b"far".to_vec()).await.1.unwrap();
    let sparse = Flags::SPARSE_STREAM;
    let records = volumes.download(&id, 0, 0, sparse).await.unwrap();
    let (records, ended) = downloaded(records).await;
    let records = records.unwrap();
    assert_eq!(ended.unwrap(), 1 << 40);
    assert!(records.len() < 1 << 20);
    assert_eq!(records[0], b'H');
    assert_eq!(records[records.len() - 9], b'E');
    // They make the same volume elsewhere.
    let other = volume(&test, "other", 1 << 40).await;
    let upload = volumes.upload(&other, 0, 0, sparse).await.unwrap();
    let (told, ended) = uploaded(upload, records.clone()).await;
    assert_eq!((told, ended.unwrap()), (Some(1 << 40), 1 << 40));
    let again = volumes.download(&other, 0, 0, sparse).await.unwrap();
    assert!(downloaded(again).await.0.unwrap() == records);
    // Half of them is not taken for the whole.
    let upload = volumes.upload(&other, 0, 0, sparse).await.unwrap();
    let (told, ended) = uploaded(upload, records[..records.len() - 9].to_vec()).await;
    assert_eq!((told, code(ended)), (None, ErrorCode::OperationFailed));
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_told_from_a_whole_one() {
    let (test, _) = open().await;
    let volumes = volumes(&test);
    let id = volume(&test, "disk", 100 << 20).await;
    // The memory for content is used up.
    let upload = volumes.upload(&id, 0, 0, PLAIN).await.unwrap();
    let (told, ended) = uploaded(upload, vec![1; 17 << 20]).await;
    let error = ended.unwrap_err();
    assert_eq!((told, error.code), (None, ErrorCode::OperationFailed));
    assert!(
        error.message.contains("'disk'") && error.message.contains("16 MiB"),
        "{error}"
    );
    // More comes than there is room for.
    let upload = volumes
        .upload(&id, (100 << 20) - 3, 0, PLAIN)
        .await
        .unwrap();
    let (told, ended) = uploaded(upload, b"four".to_vec()).await;
    assert_eq!((told, code(ended)), (None, ErrorCode::OperationFailed));
    // The one who does it gives up.
    let Transfer {
        descriptor,
        completion,
    } = volumes.download(&id, 0, 0, PLAIN).await.unwrap();
    drop(completion);
    let mut content = Vec::new();
    let read = Socket::from(descriptor).read_to_end(&mut content);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    // The one who reads gives up.
    let Transfer {
        descriptor,
        completion,
    } = volumes.download(&id, 0, 0, PLAIN).await.unwrap();
    drop(descriptor);
    let error = completion.await.unwrap_err();
    assert!(error.message.contains("closed the descriptor"), "{error}");
    // What was taken of the memory is given back.
    volumes
        .delete(&id, StorageVolDeleteFlags::empty())
        .await
        .unwrap();
    let id = volume(&test, "disk", 100 << 20).await;
    let upload = volumes.upload(&id, 0, 0, PLAIN).await.unwrap();
    assert_eq!(uploaded(upload, vec![1; 15 << 20]).await.0, Some(15 << 20));
}

#[tokio::test]
async fn a_volume_that_is_being_transferred_is_not_deleted() {
    let (test, _) = open().await;
    let volumes = volumes(&test);
    let id = volume(&test, "disk", 100).await;
    let transfer = volumes.download(&id, 0, 0, PLAIN).await.unwrap();
    let delete = || volumes.delete(&id, StorageVolDeleteFlags::empty());
    assert_eq!(code(delete().await), ErrorCode::OperationInvalid);
    drop(transfer);
    delete().await.unwrap();
}

#[tokio::test]
async fn no_transfer_begins_outside_of_a_volume() {
    let (test, _) = open().await;
    let volumes = volumes(&test);
    let id = volume(&test, "disk", 100).await;
    for (offset, length) in [(101, 0), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
        let refused = volumes.download(&id, offset, length, PLAIN).await;
        assert_eq!(code(refused), ErrorCode::InvalidArg);
    }
    for (offset, length) in [(101, 0), (99, 2), (1, u64::MAX)] {
        let refused = volumes.upload(&id, offset, length, PLAIN).await;
        assert_eq!(code(refused), ErrorCode::InvalidArg);
    }
    let nothing = volumes.download(&id, 100, 1, PLAIN).await.unwrap();
    assert_eq!(downloaded(nothing).await.1.unwrap(), 0);
}
