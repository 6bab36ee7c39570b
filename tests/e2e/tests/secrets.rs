//! Secrets of the host, as a client of the QEMU connection has them: over restarts, private, in memory only.

#![expect(
    clippy::unwrap_used,
    reason = "what the helpers of tests cannot do has to fail the test"
)]

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use virtbus_tests::client::{CallError, Client, Object};
use virtbus_tests::wait::patient;
use virtbus_tests::{Testbed, or_skip};
use zbus::message::Type;
use zbus::{MatchRule, MessageStream, OwnedObjectPath};

const SECRET: &str = "org.libvirt.Secret";
const LIMIT: Duration = Duration::from_secs(10);

const XML: &str = "<secret ephemeral='no' private='no'>
  <uuid>11111111-2222-4333-8444-555555555555</uuid>
  <usage type='iscsi'><target>libvirtiscsi</target></usage>
</secret>";

async fn define(client: &Client, xml: &str) -> Result<Object, CallError> {
    let path: OwnedObjectPath = client.qemu().call("SecretDefineXML", &(xml, 0_u32)).await?;
    Ok(client.object(path.as_str(), SECRET))
}

async fn set(secret: &Object, value: &[u8]) {
    let body = (value, 0_u32);
    let () = secret.call("SetValue", &body).await.unwrap();
}

async fn value(secret: &Object) -> Result<Vec<u8>, String> {
    secret
        .call("GetValue", &(0_u32,))
        .await
        .map_err(|error| error.to_string())
}

/// Whether a file below the directory has these bytes in it.
fn is_in_files(dir: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_in_files(&path, bytes);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|part| part == bytes)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_told_of_found_and_there_after_the_daemon_was_killed() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.libvirt");
    let client = &testbed.client;
    let heard = MessageStream::for_match_rule(
        rule.build().unwrap(),
        client.connection(),
        NonZeroUsize::new(64),
    );
    let mut heard = heard.await.unwrap();
    let secret = define(client, XML).await.unwrap();
    let path = secret.path().to_owned();
    set(&secret, b"zqx-iscsi").await;
    let mut wanted = vec!["ValueChanged", "SecretEvent", "InterfacesAdded"];
    while let Some(next) = wanted.last() {
        let message = tokio::time::timeout(patient(LIMIT), heard.next()).await;
        let message = message.unwrap().unwrap().unwrap();
        if message
            .header()
            .member()
            .is_some_and(|member| member == next)
        {
            wanted.pop();
        }
    }
    testbed.crash_and_restart().await;

    let client = &testbed.client;
    let secret = client.object(&path, SECRET);
    assert_eq!(value(&secret).await.unwrap(), b"zqx-iscsi");
    let by_usage: OwnedObjectPath = client
        .qemu()
        .call("SecretLookupByUsage", &(3_i32, "libvirtiscsi"))
        .await
        .unwrap();
    assert_eq!(by_usage.as_str(), path);
    let listed: Vec<OwnedObjectPath> = client.qemu().call("ListSecrets", &(0_u32,)).await.unwrap();
    assert_eq!(listed, [by_usage]);
    assert!(!is_in_files(testbed.daemon.state_dir(), b"zqx-"));
    let unknown = secret.call::<_, Vec<u8>>("GetValue", &(1_u32,)).await;
    assert!(unknown.is_err(), "unknown flags are refused");
    let () = secret.call("Undefine", &()).await.unwrap();
    assert!(value(&secret).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_one_is_told_to_nobody_and_an_ephemeral_one_ends_with_the_daemon() {
    let mut testbed = or_skip!(Testbed::start(&[]).await);
    let private = XML.replace("private='no'", "private='yes'");
    let secret = define(&testbed.client, &private).await.unwrap();
    set(&secret, b"zqx-key").await;
    let refused = value(&secret).await.unwrap_err();
    assert!(refused.contains("private"), "{refused}");
    assert!(define(&testbed.client, XML).await.is_err());
    let ephemeral = "<secret ephemeral='yes' private='no'/>";
    let secret = define(&testbed.client, ephemeral).await.unwrap();
    set(&secret, b"zqx-key").await;
    assert_eq!(value(&secret).await.unwrap(), b"zqx-key");
    assert!(!is_in_files(testbed.daemon.state_dir(), b"zqx-"));
    testbed.crash_and_restart().await;
    let client = &testbed.client;
    let listed: Vec<OwnedObjectPath> = client.qemu().call("ListSecrets", &(0_u32,)).await.unwrap();
    assert_eq!(listed.len(), 1);
}
