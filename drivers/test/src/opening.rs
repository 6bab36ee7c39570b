//! The driver as what opens connections.

use std::sync::Arc;

use async_trait::async_trait;
use virtbus_api::access::Caller;
use virtbus_api::connections::{Driver, Opening};
use virtbus_api::{Connection, Error, ErrorCode, ErrorDomain, Result};

use crate::Test;

/// What everybody may open, who may open anything.
const DEFAULT: &str = "test:///default";

/// Whether the daemon reads no more for the caller than the caller could read.
fn may_name_files(caller: &Caller) -> bool {
    let own = rustix::process::geteuid().as_raw();
    caller.uid().is_some_and(|uid| uid == 0 || uid == own)
}

/// Opens connections that have nothing in common: each begins with what its URI says.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestDriver;

#[async_trait]
impl Driver for TestDriver {
    fn name(&self) -> &str {
        "Test"
    }

    fn schemes(&self) -> &[&str] {
        &["test"]
    }

    async fn open(&self, opening: Opening<'_>) -> Result<Arc<dyn Connection>> {
        let Opening {
            uri,
            options,
            by,
            // It brings its own networks, storage and secrets, and needs nothing of the host.
            providers: _,
        } = opening;
        if let Some(option) = options.first() {
            return Err(Error::invalid_argument(format!(
                "unsupported option '{}': the test driver takes none",
                option.field
            )));
        }
        if uri != DEFAULT
            && let Some(caller) = by
            && !may_name_files(caller)
        {
            return Err(Error::new(
                ErrorCode::AccessDenied,
                ErrorDomain::Test,
                format!(
                    "only root and the daemon's own user may name a file; {DEFAULT} is for everybody"
                ),
            ));
        }
        Ok(Test::open(uri).await?)
    }
}

#[cfg(test)]
mod tests {
    use virtbus_api::access::Client;
    use virtbus_api::providers::Providers;
    use virtbus_api::typed::TypedParameters;

    use super::*;

    #[tokio::test]
    async fn files_are_read_for_those_only_who_could_read_them() {
        let of = |uid| Caller::Bus {
            client: Client::new(":1.1"),
            uid,
            interactive: false,
        };
        let (root, other, unknown) = (of(Some(0)), of(Some(u32::MAX - 7)), of(None));
        let open = async |uri: &str, caller: Option<&Caller>| {
            let (options, providers) = (TypedParameters::new(), Providers::default());
            let opening = Opening {
                uri,
                options: &options,
                by: caller,
                providers: &providers,
            };
            let opened = TestDriver.open(opening).await;
            opened.err().map(|error| error.code)
        };
        let file = "test:///nowhere/node.xml";
        for caller in [&root, &other, &unknown] {
            assert_eq!(open(DEFAULT, Some(caller)).await, None);
        }
        for caller in [Some(&other), Some(&unknown)] {
            assert_eq!(open(file, caller).await, Some(ErrorCode::AccessDenied));
        }
        for caller in [Some(&root), None] {
            assert_eq!(open(file, caller).await, Some(ErrorCode::XmlError));
        }
    }
}
