//! What a web console asks when it is opened, and how long that takes; nothing depends on the time.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use zbus::OwnedObjectPath;

use super::Outcome;
use crate::client::{CONNECT, CallError, Client};
use crate::domain::Domain;

/// Calls that are under way at once: a system bus lets no client wait for more than 128 answers.
const AT_ONCE: usize = 120;

/// How long the parts of a page took.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Domains on it.
    pub domains: usize,
    /// Calls that it took.
    pub calls: usize,
    /// Until the list was there.
    pub listed: Duration,
    /// Until all was answered.
    pub took: Duration,
}

/// Asks for a page: the version, the list, and then all about each domain at once. Descriptions with passwords in them are asked
/// for too, as a console does that may be an administrator's.
///
/// # Errors
/// A refusal of what anybody may ask.
///
/// # Panics
/// When a description with passwords is shown to somebody who may not see it, or is refused to somebody who may.
pub async fn load(client: &Client, node: &str, administrator: bool) -> Result<Page, CallError> {
    let begin = Instant::now();
    let connection = client.object(node, CONNECT);
    connection.get::<zbus::OwnedVariant>("LibVersion").await?;
    let domains: Vec<OwnedObjectPath> = connection.call("ListDomains", &(0_u32,)).await?;
    let listed = begin.elapsed();
    let domains = domains.iter().map(|path| client.domain(path.as_str()));
    let domains: Vec<Domain> = domains.collect();
    let asked: Vec<_> = domains
        .iter()
        .flat_map(|domain| about(domain, administrator))
        .collect();
    let calls = asked.len() + 2;
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(Page {
        domains: domains.len(),
        calls,
        listed,
        took: begin.elapsed(),
    })
}

/// All that is asked about one domain.
fn about(domain: &Domain, administrator: bool) -> Vec<BoxFuture<'_, Result<(), CallError>>> {
    let secure = |flags| -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let description = domain.xml(flags).await;
            let expected = if administrator {
                Outcome::LetIn
            } else {
                Outcome::Denied
            };
            assert_eq!(Outcome::of(&description), expected, "{description:?}");
            Ok(())
        })
    };
    let snapshots = async {
        let list = domain.0.call("ListDomainSnapshots", &(0_u32,));
        list.await.map(|_: Vec<OwnedObjectPath>| ())
    };
    vec![
        Box::pin(async { domain.xml(0).await.map(drop) }),
        secure(1),
        Box::pin(async { domain.xml(2).await.map(drop) }),
        secure(3),
        Box::pin(async { domain.0.get_all().await.map(drop) }),
        Box::pin(async { domain.state().await.map(drop) }),
        Box::pin(snapshots),
    ]
}
