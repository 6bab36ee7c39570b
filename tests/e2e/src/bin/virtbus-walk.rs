//! `virtbus-walk`: tries as its caller what that caller may see and do on the system bus. Run by the scripts of
//! `tests/e2e/tests` in a booted system; each of its commands ends with an error if something is not as it should be.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use virtbus_tests::client::{CONNECT, CallError, Client, SERVICE};
use virtbus_tests::walk::members::{Counts, Walker};
use virtbus_tests::walk::objects::{self, TEST};
use virtbus_tests::walk::one::Shown;
use virtbus_tests::walk::policy::Policy;
use virtbus_tests::walk::{Findings, Managed, ROOT, managed, page};
use virtbus_tests::{RawClient, Waits};
use zbus::message::{Flags, Type};
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath};

const BUS: &str = "unix:path=/run/dbus/system_bus_socket";
const INTERFACES: &str = "/walk/interfaces";
const POLICY: &str = "/usr/share/polkit-1/actions/org.libvirt.policy";

const USAGE: &str = "virtbus-walk make | list | state | members LIST [+ACTION|-ACTION]... | one DOMAIN LIST | \
                     listen | page NODE user|administrator | crowd CLIENTS CALLS [NODE] | flood CONNECTIONS MEBIBYTES TIMES | leave CONNECTIONS CALLS | silent CALLS | wait";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments).await {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let client = Client::connect(BUS).await?;
    match arguments {
        ["make"] => {
            objects::make(&client).await?;
            Ok("made".to_owned())
        }
        ["list"] => {
            let all = objects::all(&client).await?;
            let lines = all
                .iter()
                .map(|(interface, path)| format!("{interface} {path}"));
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        ["state"] => Ok(objects::state(&client).await?),
        ["members", list, changes @ ..] => members(&client, &read(list)?, changes).await,
        ["one", domain, list] => one(&client, domain, &read(list)?).await,
        ["listen"] => listen(&client).await,
        ["page", node, who] => {
            let administrator = *who == "administrator";
            let first = page::load(&client, node, administrator).await?;
            let again = page::load(&client, node, administrator).await?;
            Ok(format!(
                "  {} domains, {} calls: listed after {:?}, all after {:?}, again {:?}",
                first.domains, first.calls, first.listed, first.took, again.took
            ))
        }
        ["flood", connections, mebibytes, times] => {
            flood(connections.parse()?, mebibytes.parse()?, times.parse()?).await
        }
        ["leave", connections, calls] => leave(connections.parse()?, calls.parse()?).await,
        ["silent", calls] => silent(calls.parse()?).await,
        ["wait"] => wait(&client).await,
        ["crowd", clients, calls] => crowd(clients.parse()?, calls.parse()?, TEST).await,
        ["crowd", clients, calls, node] => crowd(clients.parse()?, calls.parse()?, node).await,
        _ => Err(USAGE.into()),
    }
}

/// Sends large documents on several connections, and reads no answer.
async fn flood(
    connections: usize,
    mebibytes: usize,
    times: usize,
) -> Result<String, Box<dyn std::error::Error>> {
    let element = "<a b='c'/>";
    let elements = element.repeat((mebibytes << 20) / element.len());
    let document = format!("<domain type='test'><name>flood</name>{elements}</domain>");
    let document = std::sync::Arc::new(document);
    let floods = (0..connections).map(|_| {
        let document = std::sync::Arc::clone(&document);
        tokio::task::spawn_blocking(move || {
            let mut client = RawClient::connect(BUS)?;
            for _ in 0..times {
                let define = Message::method_call(TEST, "DomainDefineXML")
                    .destination(SERVICE)
                    .interface(CONNECT)
                    .build(&(document.as_str(),));
                client.send(&define.map_err(std::io::Error::other)?)?;
            }
            std::io::Result::Ok(client)
        })
    });
    for flood in join_all(floods).await {
        flood??;
    }
    Ok(format!(
        "  {connections} connections sent {times} documents of {mebibytes} MiB"
    ))
}

/// A call whose answer is long.
fn introspect() -> zbus::Result<zbus::message::Builder<'static>> {
    let call = Message::method_call(TEST, "Introspect").destination(SERVICE);
    Ok(call.interface("org.freedesktop.DBus.Introspectable"))
}

/// Asks for much on connections that end before they have read it.
async fn leave(connections: usize, calls: usize) -> Result<String, Box<dyn std::error::Error>> {
    let leaving = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        for _ in 0..connections {
            let mut client = RawClient::connect(BUS)?;
            for _ in 0..calls {
                let call = introspect().and_then(|call| call.build(&()));
                client.send(&call.map_err(std::io::Error::other)?)?;
            }
            // The daemon has begun to answer.
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    leaving.await??;
    Ok(format!(
        "  {connections} connections left with {calls} answers each"
    ))
}

/// Asks for answers that nobody wants.
async fn silent(calls: usize) -> Result<String, Box<dyn std::error::Error>> {
    let asking = tokio::task::spawn_blocking(move || -> std::io::Result<RawClient> {
        let mut client = RawClient::connect(BUS)?;
        for _ in 0..calls {
            let call = introspect().map(|call| call.with_flags(Flags::NO_REPLY_EXPECTED));
            let call = call.and_then(|call| call.build(&()));
            client.send(&call.map_err(std::io::Error::other)?)?;
        }
        Ok(client)
    });
    drop(asking.await??);
    Ok(format!("  {calls} calls want no answer"))
}

/// Reads a domain's state until its input ends; how long that took.
async fn wait(client: &Client) -> Result<String, Box<dyn std::error::Error>> {
    let connection = client.object(TEST, CONNECT);
    let path: OwnedObjectPath = connection.call("DomainLookupByName", &("test",)).await?;
    let domain = client.domain(path.as_str());
    println!("waiting");
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut waits = Waits::default();
    while !input.is_finished() {
        waits.read(client, &domain).await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let told = waits.told()?;
    Ok(format!("  {told}"))
}

/// Many clients of whom the daemon has not heard yet call at the same moment; each is answered.
async fn crowd(
    clients: usize,
    calls: usize,
    node: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let mut crowd = Vec::new();
    for _ in 0..clients {
        crowd.push(Client::connect(BUS).await?);
    }
    let asked = crowd.iter().flat_map(|client| {
        (0..calls).map(|_| async {
            let connection = client.object(node, CONNECT);
            let domains = connection.call::<_, Vec<OwnedObjectPath>>("ListDomains", &(0_u32,));
            domains.await
        })
    });
    let answers = join_all(asked).await;
    let total = answers.len();
    let refusals: Vec<CallError> = answers.into_iter().filter_map(Result::err).collect();
    match refusals.first() {
        None => Ok(format!("  {clients} clients, {total} calls")),
        Some(first) => Err(format!("{} of {total} calls: {first}", refusals.len()).into()),
    }
}

/// The list that the command of this name printed.
fn read(list: &str) -> std::io::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(list)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(interface, path)| (interface.to_owned(), path.to_owned()))
        .collect())
}

async fn members(
    client: &Client,
    all: &[(String, String)],
    changes: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    let documents = objects::documents(Path::new(INTERFACES));
    let mut policy = Policy::of_anybody(Path::new(POLICY));
    for change in changes {
        policy.change(change);
    }
    let managed = managed(client, ROOT).await.unwrap_or(Managed::new());
    let walker = Walker {
        client,
        policy: &policy,
        managed: &managed,
    };
    let mut findings = Findings::default();
    let mut said = Vec::new();
    let mut tell = |what: &str, counts: Counts| {
        said.push(format!(
            "  {what}: {} of {} refused",
            counts.refused, counts.asked
        ));
    };
    let (chosen, without) = objects::one_of_each(all, &documents);
    for (interface, path) in chosen {
        let counts = walker
            .walk(&path, &interface, &documents[&interface], &mut findings)
            .await;
        tell(&format!("{path} {interface}"), counts);
    }
    for interface in without {
        let folder = interface.trim_start_matches("org.libvirt.").to_lowercase();
        let path = format!("{TEST}/{folder}/_00000000_0000_0000_0000_000000000001");
        let counts = walker
            .walk_nowhere(&path, &interface, &documents[&interface], &mut findings)
            .await;
        tell(&format!("{interface}, of which there is none"), counts);
    }
    findings.into_result()?;
    Ok(said.join("\n"))
}

async fn one(
    client: &Client,
    domain: &str,
    all: &[(String, String)],
) -> Result<String, Box<dyn std::error::Error>> {
    let documents = objects::documents(Path::new(INTERFACES));
    let shown = Shown {
        client,
        domain,
        all,
    };
    let mut findings = Findings::default();
    shown.in_lists(&mut findings).await?;
    shown.reads(&documents, &mut findings).await;
    shown.searches(&mut findings).await;
    let managed = managed(client, ROOT).await?;
    let counts = shown.hidden(&documents, &managed, &mut findings).await;
    findings.into_result()?;
    Ok(format!("  {} calls to what is hidden", counts.asked))
}

/// Hears all signals of the daemon until its input ends, and then prints them, one a line.
async fn listen(client: &Client) -> Result<String, Box<dyn std::error::Error>> {
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .path_namespace(ROOT)
        .build()?;
    let queue = std::num::NonZeroUsize::new(4096);
    let mut heard = MessageStream::for_match_rule(rule, client.connection(), queue).await?;
    // Where rules tell objects apart, only who has called is told.
    client
        .object(TEST, CONNECT)
        .get::<zbus::OwnedVariant>("LibVersion")
        .await?;
    println!("listening");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    // What was sent before this answer has arrived before it.
    client
        .object(TEST, CONNECT)
        .get::<zbus::OwnedVariant>("LibVersion")
        .await?;
    let mut lines = Vec::new();
    while let Some(Some(message)) = futures_util::FutureExt::now_or_never(heard.next()) {
        let message = message?;
        let header = message.header();
        let body = message.body();
        let body: zbus::Structure<'_> = body.deserialize()?;
        lines.push(format!(
            "{} {} {body:?}",
            header.path().map_or("", |path| path.as_str()),
            header.member().map_or("", |member| member.as_str()),
        ));
    }
    Ok(lines.join("\n"))
}
