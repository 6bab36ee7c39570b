//! Keys, signals, the screen, and looks inside: nothing is there that could take or show anything real.

use async_trait::async_trait;
use virtbus_api::domain::{
    DomainConsole, DomainId, DomainMemoryPeekFlags, DomainProcessSignal, KeycodeSet,
};
use virtbus_api::storage::Transfer;
use virtbus_api::{Error, Result};
use virtbus_util::transfer::{Framing, Sender};

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

    async fn screenshot(&self, id: &DomainId, screen: u32) -> Result<(String, Transfer)> {
        self.with_domain(id, |domain| {
            domain.check_active()?;
            if screen > 0 {
                return Err(Error::invalid_argument(format!(
                    "invalid screen {screen} (the domain has only 0)"
                )));
            }
            Ok(())
        })?;
        let failed = |problem| error::failed(format!("the image cannot be sent: {problem}"));
        let (mut sender, descriptor) = Sender::new(Framing::Plain).map_err(failed)?;
        let image = Transfer::new(descriptor, async move {
            sender.data(SCREEN).await.map_err(failed)?;
            sender.finish().await.map_err(failed)
        });
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
