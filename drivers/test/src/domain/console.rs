//! Keys, signals, the screen, and looks inside: nothing is there that could take or show anything real.

use std::io::Write as _;
use std::os::fd::OwnedFd;

use async_trait::async_trait;
use virtbus_api::domain::{
    DomainConsole, DomainId, DomainMemoryPeekFlags, DomainProcessSignal, KeycodeSet,
};
use virtbus_api::{Error, Result};

use super::Domain;
use crate::driver::Test;
use crate::error;

/// A screen of one black pixel: a portable pixmap.
const SCREEN: &[u8] = b"P6\n1 1\n255\n\0\0\0";

#[async_trait]
impl DomainConsole for Test {
    async fn send_key(
        &self,
        id: &DomainId,
        _codeset: KeycodeSet,
        _hold_time: u32,
        keycodes: &[u32],
    ) -> Result<()> {
        if let Some(key) = keycodes.iter().find(|key| **key > 0xffff) {
            return Err(Error::invalid_argument(format!(
                "invalid key code {key:#x}"
            )));
        }
        self.with_domain(id, Domain::check_active)
    }

    async fn send_process_signal(
        &self,
        id: &DomainId,
        pid: i64,
        _signal: DomainProcessSignal,
    ) -> Result<()> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            if pid == 1 {
                return Ok(());
            }
            Err(Error::invalid_argument(format!(
                "no process {pid} in the guest (only 1, its init)"
            )))
        })
    }

    async fn screenshot(&self, id: &DomainId, screen: u32) -> Result<(String, OwnedFd)> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            if screen > 0 {
                return Err(Error::invalid_argument(format!(
                    "invalid screen {screen} (the domain has only 0)"
                )));
            }
            Ok(())
        })?;
        let pipe = || -> std::io::Result<OwnedFd> {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            // What fits into a pipe is written at once.
            std::fs::File::from(write).write_all(SCREEN)?;
            Ok(read)
        };
        let image = pipe().map_err(|problem| {
            error::failed(format!("cannot create a pipe for the image: {problem}"))
        })?;
        Ok(("image/x-portable-pixmap".to_owned(), image))
    }

    async fn memory_peek(
        &self,
        id: &DomainId,
        offset: u64,
        size: u32,
        _flags: DomainMemoryPeekFlags,
    ) -> Result<Vec<u8>> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            // A pattern that tells where it was read.
            let bytes = (offset..).take(usize::try_from(size).unwrap_or(0));
            Ok(bytes
                .map(|at| u8::try_from(at % 27).unwrap_or(0) + 97)
                .collect())
        })
    }
}
