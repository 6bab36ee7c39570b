//! Virtual networks: a start beside the same by hand, and the daemon's own start with many of them.
//!
//! Networks are started by this program run once more in namespaces of its own (network, mounts, processes), so that nothing of the machine is
//! touched. It tells its figures in lines of `WHOSE SECONDS`.

use std::process::{Command, Stdio};
use std::time::Instant;

use virtbus_tests::client::{CONNECT, QEMU_PATH, SERVICE};
use virtbus_tests::need;
use zbus::OwnedObjectPath;

use crate::bed::Bed;
use crate::figure::{Aim, Figure, Report, Samples, Unit};
use crate::served::{Body, Question, Served};
use crate::{Effort, Outcome, yardstick};

/// The word by which this program is told that it is inside; the number of rounds stands behind it.
pub(crate) const WORD: &str = "--networks-inside";

const NETWORK: &str = "org.libvirt.Network";

const NAT: &str = "<network><name>nat</name><forward mode='nat'/><bridge name='vb0'/>\
    <ip address='10.213.0.1' netmask='255.255.255.0'><dhcp><range start='10.213.0.10' end='10.213.0.99'/></dhcp></ip></network>";

/// The same as the daemon does for that network, in as few runs of programs as it takes.
const BY_HAND: &str = include_str!("../data/network-by-hand.sh");
const UNDONE: &str = "kill $(cat /run/vb1.pid); nft delete table ip byhand; ip link delete vb1";

/// Measures networks.
///
/// # Errors
/// If the machine lacks something, or the daemon does not do what it should.
pub(crate) async fn measure(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    report.part(
        "Virtual networks",
        "ip, nft and dnsmasq run by a shell; for starts of the daemon, a zbus service of a few lines",
    );
    many(bed, effort, report).await?;
    need::root()?;
    need::programs(&["unshare", "ip", "nft", "dnsmasq"])?;
    let inside = Command::new("unshare")
        .args(["-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe()?)
        .args([WORD, &effort.starts.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let told = String::from_utf8_lossy(&inside.stdout);
    if !inside.status.success() {
        return Err(format!("networks in namespaces of their own: {told}").into());
    }
    let samples = |whose: &str| -> Samples {
        let of = told.lines().filter_map(|line| line.strip_prefix(whose));
        of.filter_map(|seconds| seconds.trim().parse().ok())
            .collect()
    };
    for (name, ours, yardstick, aim) in [
        (
            "Create, with address translation and DHCP",
            "create",
            "by-hand",
            Aim::Ratio(1.3),
        ),
        ("Destroy", "destroy", "undone", Aim::None),
    ] {
        report.figure(&Figure {
            name: name.to_owned(),
            unit: Unit::Seconds,
            ours: samples(ours),
            yardstick: samples(yardstick),
            aim,
        });
    }
    Ok(())
}

/// Defines a network; its object path.
async fn define(bed: &Bed, xml: &str) -> Outcome<String> {
    let (service, interface) = (Some(SERVICE), Some(CONNECT));
    let reply = bed
        .client
        .call_method(service, QEMU_PATH, interface, "NetworkDefineXML", &(xml,))
        .await?;
    let path: OwnedObjectPath = reply.body().deserialize()?;
    Ok(path.to_string())
}

/// The daemon's start with many networks.
async fn many(bed: &Bed, effort: Effort, report: &mut Report) -> Outcome<()> {
    let daemon = bed.start_daemon("networks").await?;
    for number in 0..effort.domains {
        let (high, low) = (number / 250, number % 250);
        let xml = NAT
            .replace("<name>nat", &format!("<name>nat-{number}"))
            .replace("vb0", &format!("vb{number}"))
            .replace("10.213.0.", &format!("10.{high}.{low}."));
        define(bed, &xml).await?;
    }
    daemon.stop()?;
    let list = Question {
        destination: SERVICE,
        path: QEMU_PATH.to_owned(),
        interface: CONNECT,
        member: "ListNetworks",
        body: Body::Flags(0),
    };
    let (program, bare) = (bed.daemon("networks"), bed.yardstick()?);
    let number = yardstick::question("Number");
    let mut samples = [Samples::default(), Samples::default()];
    for round in 0..=effort.starts {
        for (at, program, question) in [(0, &program, &list), (1, &bare, &number)] {
            let (served, seconds) = Served::start_and_ask(&bed.client, program, question).await?;
            served.stop()?;
            // The first only warms up.
            if round > 0 {
                samples[at].push(seconds);
            }
        }
    }
    let [ours, yardstick] = samples;
    report.figure(&Figure {
        name: format!("Start to first answer, {} networks", effort.domains),
        unit: Unit::Seconds,
        ours,
        yardstick,
        aim: Aim::AtMost(0.100),
    });
    Ok(())
}

/// Starts and stops networks, by the daemon and by hand, and prints how long each took.
///
/// # Errors
/// If something does not work here.
pub(crate) async fn inside(rounds: usize) -> Outcome<()> {
    shell("mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && ip link set lo up")?;
    let bed = Bed::start().await?;
    let daemon = bed.start_daemon("inside").await?;
    let path = define(&bed, NAT).await?;
    let call = async |member: &str| -> Outcome<f64> {
        let begun = Instant::now();
        let (service, interface) = (Some(SERVICE), Some(NETWORK));
        bed.client
            .call_method(service, path.as_str(), interface, member, &())
            .await?;
        Ok(begun.elapsed().as_secs_f64())
    };
    for round in 0..=rounds {
        let taken = [
            ("create", call("Create").await?),
            ("destroy", call("Destroy").await?),
            ("by-hand", shell(BY_HAND)?),
            ("undone", shell(UNDONE)?),
        ];
        // The first only warms up.
        for (whose, seconds) in taken.iter().filter(|_| round > 0) {
            println!("{whose} {seconds}");
        }
    }
    daemon.stop()
}

/// Runs lines of shell; the seconds that they took.
fn shell(lines: &str) -> Outcome<f64> {
    let begun = Instant::now();
    let status = Command::new("/bin/sh").args(["-c", lines]).status()?;
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{status} of: {lines}").into());
    }
    Ok(seconds)
}
