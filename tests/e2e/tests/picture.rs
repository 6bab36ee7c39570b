//! A picture of everything by one call and one match, kept by signals, is never older than the daemon's, however much happens.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use virtbus_tests::client::{CONNECT, Client, DOMAIN, SERVICE};
use virtbus_tests::wait::patient;
use virtbus_tests::walk::OBJECT_MANAGER;
use virtbus_tests::walk::objects::TEST;
use virtbus_tests::{Testbed, or_skip};
use zbus::message::Type;
use zbus::{Message, MessageStream, OwnedObjectPath, OwnedVariant};

/// What an idle machine needs at most.
const LIMIT: Duration = Duration::from_secs(20);

/// Domains that go on and off while the picture is taken.
const DOMAINS: usize = 40;

type Properties = HashMap<String, OwnedVariant>;
type Objects = HashMap<OwnedObjectPath, HashMap<String, Properties>>;

/// Which domains are active, as a client knows it.
#[derive(Default)]
struct Picture(HashMap<String, bool>);

impl Picture {
    fn note(&mut self, path: &str, properties: &Properties) {
        if let Some(active) = properties.get("Active") {
            let active =
                bool::try_from(active.try_clone().expect("no descriptor")).expect("a boolean");
            self.0.insert(path.to_owned(), active);
        }
    }

    /// Takes what came, in the order in which it came.
    fn hear(&mut self, message: &Message, call: std::num::NonZeroU32) {
        let header = message.header();
        match (
            message.message_type(),
            header.member().map(ToString::to_string),
        ) {
            (Type::MethodReturn, _) if header.reply_serial() == Some(call) => {
                let objects: Objects = message.body().deserialize().expect("objects");
                for (path, interfaces) in objects {
                    if let Some(properties) = interfaces.get(DOMAIN) {
                        self.note(path.as_str(), properties);
                    }
                }
            }
            (Type::Signal, Some(member)) if member == "PropertiesChanged" => {
                let body = message.body();
                let (interface, changed, _): (String, Properties, Vec<String>) =
                    body.deserialize().expect("changes");
                if interface == DOMAIN {
                    let path = header.path().expect("signals have a path").to_string();
                    self.note(&path, &changed);
                }
            }
            _ => {}
        }
    }
}

async fn define(client: &Client, number: usize) -> String {
    let xml = format!(
        "<domain type='test'><name>d{number}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
    );
    let path: OwnedObjectPath = client
        .object(TEST, CONNECT)
        .call("DomainDefineXML", &(xml.as_str(),))
        .await
        .expect("the domain is defined");
    path.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_made_before_a_change_does_not_hide_it() {
    let testbed = or_skip!(Testbed::start(&["--drivers", "test"]).await);
    let client = &testbed.client;
    let mut paths = Vec::new();
    for number in 0..DOMAINS {
        paths.push(define(client, number).await);
    }
    let watcher = Client::connect(testbed.bus.address()).await.unwrap();
    let connection = watcher.connection();
    let rule = format!("type='signal',path_namespace='{TEST}',sender='{SERVICE}'");
    let added = watcher.bus().call::<_, ()>("AddMatch", &(rule,)).await;
    added.unwrap();

    for round in 0..150 {
        let (member, active) = if round % 2 == 0 {
            ("Create", true)
        } else {
            ("Destroy", false)
        };
        // Everything on the connection, in its order.
        let mut messages = MessageStream::from(connection);
        let call = Message::method_call(TEST, "GetManagedObjects")
            .destination(SERVICE)
            .interface(OBJECT_MANAGER)
            .build(&())
            .unwrap();
        let serial = call.primary_header().serial_num();
        let change = join_all(paths.iter().map(|path| {
            let domain = client.domain(path);
            async move { domain.act(member, 0).await.unwrap() }
        }));
        let ask = async {
            // Somewhere among the changes.
            let _ = client.domain(&paths[round % DOMAINS]).state().await;
            connection.send(&call).await.unwrap();
        };
        let mut picture = Picture::default();
        tokio::join!(change, ask);
        // What was sent before this reply has arrived with it.
        let last = Message::method_call(TEST, "Ping")
            .destination(SERVICE)
            .interface("org.freedesktop.DBus.Peer")
            .build(&())
            .unwrap();
        let end = last.primary_header().serial_num();
        connection.send(&last).await.unwrap();
        let heard = async {
            while let Some(message) = messages.next().await {
                let message = message.unwrap();
                picture.hear(&message, serial);
                if message.header().reply_serial() == Some(end) {
                    break;
                }
            }
        };
        tokio::time::timeout(patient(LIMIT), heard).await.unwrap();
        let wrong: Vec<&String> = paths
            .iter()
            .filter(|path| picture.0.get(*path) != Some(&active))
            .collect();
        assert!(wrong.is_empty(), "round {round}: {wrong:?}");
    }
}
