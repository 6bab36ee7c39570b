//! Whole transfers end with success at both ends, broken ones at none.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream as Socket;
use std::sync::{Arc, Mutex};

use tokio::task::spawn_blocking;

use super::*;

const MIB: u64 = 1 << 20;

/// A file of 4 MiB with data at its begin and from 2 MiB on.
fn with_holes() -> Arc<File> {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(&[7; 5000], 2 * MIB).unwrap();
    file.set_len(4 * MIB).unwrap();
    Arc::new(file)
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Reads to the end on a thread of its own.
async fn read_all(end: OwnedFd) -> (Vec<u8>, io::Result<()>) {
    let read = move || {
        let mut all = Vec::new();
        let how = Socket::from(end).read_to_end(&mut all);
        (all, how.map(|_| ()))
    };
    spawn_blocking(read).await.unwrap()
}

/// Writes, and returns what was said to that.
async fn write_all(end: OwnedFd, data: Vec<u8>) -> Option<u64> {
    let write = move || {
        let mut socket = Socket::from(end);
        // Who is refused may find the other end closed.
        let _ = socket.write_all(&data);
        let _ = socket.shutdown(Shutdown::Write);
        let mut told = [0; 8];
        socket.read_exact(&mut told).ok()?;
        Some(u64::from_be_bytes(told))
    };
    spawn_blocking(write).await.unwrap()
}

/// What `send` sends of a file.
async fn sent(
    file: Arc<File>,
    range: std::ops::Range<u64>,
    framing: Framing,
) -> (io::Result<u64>, Vec<u8>, io::Result<()>) {
    let (sender, end) = Sender::new(framing).unwrap();
    let (how, (all, read)) = tokio::join!(send(file, range, sender), read_all(end));
    (how, all, read)
}

#[tokio::test]
async fn a_plain_download_is_the_content_with_zeroes_for_holes() {
    let file = with_holes();
    let (how, all, read) = sent(Arc::clone(&file), 0..4 * MIB, Framing::Plain).await;
    assert_eq!((how.unwrap(), read.is_ok()), (4 * MIB, true));
    assert!(all == bytes(&file));
    let (how, all, read) = sent(file, 2..2 * MIB + 3, Framing::Plain).await;
    assert_eq!((how.unwrap(), read.is_ok()), (2 * MIB + 1, true));
    assert_eq!(
        (&all[..3], &all[all.len() - 3..]),
        (b"gin".as_slice(), [7; 3].as_slice())
    );
}

#[tokio::test]
async fn holes_are_not_sent() {
    let file = with_holes();
    let (how, all, read) = sent(Arc::clone(&file), 0..4 * MIB, Framing::Runs).await;
    assert_eq!((how.unwrap(), read.is_ok()), (4 * MIB, true));
    assert!(all.len() < 1 << 17, "{} bytes", all.len());
    // And they arrive as holes.
    let copy = Arc::new(tempfile::tempfile().unwrap());
    let (receiver, end) = Receiver::new(Framing::Runs).unwrap();
    let taking = receive(Arc::clone(&copy), 0..u64::MAX, receiver);
    let (how, told) = tokio::join!(taking, write_all(end, all));
    assert_eq!((how.unwrap(), told), (4 * MIB, Some(4 * MIB)));
    assert!(bytes(&copy) == bytes(&file));
    let is_hole = copy.run(MIB, 2 * MIB).unwrap().is_hole;
    assert_eq!(is_hole, file.run(MIB, 2 * MIB).unwrap().is_hole);
}

#[tokio::test]
async fn who_reads_a_broken_download_gets_an_error_after_what_came() {
    for framing in [Framing::Plain, Framing::Runs] {
        // The content is shorter than it was thought.
        let (how, all, read) = sent(with_holes(), 0..5 * MIB, framing).await;
        assert_eq!(how.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(all.len() > 5000);
        // The sender is gone in the middle.
        let (mut sender, end) = Sender::new(framing).unwrap();
        sender.data(b"half").await.unwrap();
        drop(sender);
        let (half, read) = read_all(end).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(half.ends_with(b"half"));
    }
}

#[tokio::test]
async fn the_sender_learns_that_nobody_reads() {
    let (sender, end) = Sender::new(Framing::Plain).unwrap();
    drop(end);
    let how = send(with_holes(), 0..4 * MIB, sender).await;
    assert_eq!(how.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn the_writer_learns_when_all_is_on_disk() {
    let file = with_holes();
    let (receiver, end) = Receiver::new(Framing::Plain).unwrap();
    let taking = receive(Arc::clone(&file), MIB..3 * MIB, receiver);
    let (how, told) = tokio::join!(taking, write_all(end, vec![9; 600_000]));
    assert_eq!((how.unwrap(), told), (600_000, Some(600_000)));
    let all = bytes(&file);
    assert_eq!(all.len() as u64, 4 * MIB);
    assert!(all[1 << 20..][..600_000].iter().all(|byte| *byte == 9));
    assert_eq!((&all[..5], all[2 << 20]), (b"begin".as_slice(), 7));
}

#[tokio::test]
async fn an_upload_that_does_not_fit_is_told_to_nobody_as_whole() {
    let (receiver, end) = Receiver::new(Framing::Plain).unwrap();
    let taking = receive(with_holes(), 0..1000, receiver);
    let (how, told) = tokio::join!(taking, write_all(end, vec![9; 1001]));
    assert_eq!(
        (how.unwrap_err().kind(), told),
        (ErrorKind::StorageFull, None)
    );
}

fn record(letter: u8, length: u64) -> Vec<u8> {
    [&[letter][..], &length.to_be_bytes()].concat()
}

#[tokio::test]
async fn records_that_are_not_whole_are_refused() {
    let data = [record(b'D', 4), b"data".to_vec()].concat();
    for (stream, kind) in [
        (Vec::new(), ErrorKind::UnexpectedEof),
        (data.clone(), ErrorKind::UnexpectedEof),
        (data[..11].to_vec(), ErrorKind::UnexpectedEof),
        (data[..5].to_vec(), ErrorKind::UnexpectedEof),
        (
            [&data[..], &record(b'E', 5)].concat(),
            ErrorKind::InvalidData,
        ),
        (record(b'X', 0), ErrorKind::InvalidData),
        (
            [record(b'H', 10), record(b'H', u64::MAX)].concat(),
            ErrorKind::InvalidData,
        ),
        (record(b'H', u64::MAX), ErrorKind::StorageFull),
    ] {
        let (receiver, end) = Receiver::new(Framing::Runs).unwrap();
        let taking = receive(with_holes(), 0..4 * MIB, receiver);
        let (how, told) = tokio::join!(taking, write_all(end, stream.clone()));
        assert_eq!((how.unwrap_err().kind(), told), (kind, None), "{stream:?}");
    }
    let whole = [
        &data[..],
        &record(b'D', 0),
        &record(b'H', 0),
        &record(b'E', 4),
    ]
    .concat();
    let (receiver, end) = Receiver::new(Framing::Runs).unwrap();
    let taking = receive(with_holes(), 0..4 * MIB, receiver);
    let (how, told) = tokio::join!(taking, write_all(end, whole));
    assert_eq!((how.unwrap(), told), (4, Some(4)));
}

/// A file of which it is written down what is done to it, and whose medium may fail.
struct Noted {
    file: File,
    done: Mutex<Vec<(&'static str, u64)>>,
    is_broken: bool,
}

impl Noted {
    fn new(is_broken: bool) -> Arc<Self> {
        Arc::new(Self {
            file: tempfile::tempfile().unwrap(),
            done: Mutex::default(),
            is_broken,
        })
    }

    fn note(&self, what: &'static str, length: u64) {
        self.done.lock().unwrap().push((what, length));
    }
}

impl Content for Noted {
    fn run(&self, at: u64, end: u64) -> io::Result<Run> {
        self.file.run(at, end)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        Content::read_at(&self.file, buffer, at)
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        self.note("write", data.len() as u64);
        Content::write_at(&self.file, data, at)
    }

    fn clear(&self, at: u64, length: u64) -> io::Result<()> {
        self.note("clear", length);
        self.file.clear(at, length)
    }

    fn sync(&self) -> io::Result<()> {
        self.note("sync", 0);
        if self.is_broken {
            return Err(io::Error::other("the disk is broken"));
        }
        self.file.sync()
    }
}

#[tokio::test]
async fn nothing_counts_as_written_before_it_is_on_disk() {
    let huge = 600 << 20;
    let stream = [
        record(b'D', 2),
        b"ab".to_vec(),
        record(b'H', huge),
        record(b'E', huge + 2),
    ];
    for is_broken in [false, true] {
        let noted = Noted::new(is_broken);
        let (receiver, end) = Receiver::new(Framing::Runs).unwrap();
        let taking = receive(Arc::clone(&noted), 0..u64::MAX, receiver);
        let (how, told) = tokio::join!(taking, write_all(end, stream.concat()));
        if is_broken {
            assert_eq!(
                (how.unwrap_err().to_string().as_str(), told),
                ("the disk is broken", None)
            );
        } else {
            assert_eq!((how.unwrap(), told), (huge + 2, Some(huge + 2)));
        }
        // Holes are made piece by piece, and what may fail at last is asked before the writer is told.
        let done = noted.done.lock().unwrap();
        let most = 256 << 20;
        let pieces = [("clear", most), ("clear", most), ("clear", huge - 2 * most)];
        assert_eq!(done[0], ("write", 2));
        assert_eq!(done[1..4], pieces);
        assert_eq!(done[4..], [("sync", 0)]);
    }
}
