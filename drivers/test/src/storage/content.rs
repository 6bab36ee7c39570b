//! The content of volumes: in memory, with holes where nothing was written.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{MemfdFlags, memfd_create};
use virtbus_util::transfer::{Content, Run};

/// So many bytes the volumes of a connection keep, together.
const MOST: u64 = 16 << 20;

/// Memory is taken by pages of so many bytes, at most.
const PAGE: u64 = 64 << 10;

/// What the volumes of a connection take, bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Space(Arc<AtomicU64>);

impl Space {
    fn take(&self, bytes: u64) -> io::Result<()> {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
                taken.checked_add(bytes).filter(|sum| *sum <= MOST)
            });
        taken.map(|_| ()).map_err(|_| {
            let text = format!("volumes of the test driver keep {} MiB at most", MOST >> 20);
            io::Error::new(io::ErrorKind::StorageFull, text)
        })
    }

    fn give(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The content of a volume. Of its size only what was written takes memory.
pub(crate) struct Memory {
    file: File,
    space: Space,
    /// What it takes of the space.
    taken: Mutex<u64>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Memory {
    /// A hole of this size, bytes.
    ///
    /// # Errors
    /// Those of the system, for sizes that no file can have.
    pub(crate) fn new(size: u64, space: &Space) -> io::Result<Self> {
        let file = File::from(memfd_create("volume", MemfdFlags::CLOEXEC)?);
        file.set_len(size)?;
        Ok(Self {
            file,
            space: space.clone(),
            taken: Mutex::new(0),
        })
    }

    /// The same content in another volume of this size.
    ///
    /// # Errors
    /// `StorageFull` if the content does not fit into it, or into memory.
    pub(crate) fn copy(&self, size: u64) -> io::Result<Self> {
        let copy = Self::new(size, &self.space)?;
        let end = self.file.metadata()?.len();
        let mut at = 0;
        while at < end {
            let run = self.run(at, end)?;
            if run.is_hole {
                at = run.end;
                continue;
            }
            if run.end > size {
                let text = format!("the content has data up to byte {}, not {size}", run.end);
                return Err(io::Error::new(io::ErrorKind::StorageFull, text));
            }
            let length = (run.end - at).min(PAGE);
            let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
            let read = self.read_at(&mut data, at)?;
            copy.write_at(&data[..read], at)?;
            at += read.max(1) as u64;
        }
        Ok(copy)
    }

    /// Changes the content, which takes at most so many bytes more then.
    fn change(&self, more: u64, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        self.space.take(more)?;
        let done = change();
        let now = self.file.metadata().map_or(*taken + more, |meta| {
            // Units of the system call, whatever the page is.
            meta.blocks() * 512
        });
        self.space.give((*taken + more).saturating_sub(now));
        *taken = now;
        done
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let taken = self.taken.get_mut();
        self.space
            .give(*taken.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Content for Memory {
    fn run(&self, at: u64, end: u64) -> io::Result<Run> {
        self.file.run(at, end)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        Content::read_at(&self.file, buffer, at)
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        let more = data.len() as u64 + 2 * PAGE;
        self.change(more, || Content::write_at(&self.file, data, at))
    }

    fn clear(&self, at: u64, length: u64) -> io::Result<()> {
        self.change(0, || self.file.clear(at, length))
    }

    fn sync(&self) -> io::Result<()> {
        // Memory is as safe as it can be.
        Ok(())
    }
}
