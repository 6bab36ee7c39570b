//! A daemon that ends, at any moment, and the next one.
//!
//! The daemon's end is that of all its tasks at once: nothing of the driver runs any more, and nothing is told to it. What it had started goes
//! on, as with a daemon that is killed.

use std::path::PathBuf;

use virtbus_api::network::{NetworkId, Networks};
use virtbus_network::{Config, NetworkDriver, Programs};

use crate::host::{Host, define, in_namespaces, network, sh, start, until};

#[test]
fn netns_traffic_goes_on_while_daemons_change() {
    in_namespaces(
        "restart::netns_traffic_goes_on_while_daemons_change",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            let id = start(&driver, &network(1, "<forward mode='nat'/>", "")).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            guest.comes_to_reach("192.0.2.2").await;
            let server = sh("busybox pidof dnsmasq").await;
            let index = sh("cat /sys/class/net/br1/ifindex").await;
            // A hundred packets a second, none of which may be lost.
            let pinging = sh("ip netns exec g1 busybox ping -i 0.05 -c 60 -W 2 192.0.2.2");
            let changing = async {
                let mut driver = driver;
                for _ in 0..3 {
                    drop(driver);
                    driver = host.open().await;
                    assert!(driver.view(id.uuid).await.unwrap().active);
                    // It has its turn when the network is taken in.
                    driver.set_autostart(&id, true).await.unwrap();
                }
                driver
            };
            let (said, driver) = tokio::join!(pinging, changing);
            assert!(said.contains(" 0% packet loss"), "{said}");
            assert_eq!(sh("busybox pidof dnsmasq").await, server);
            assert_eq!(sh("cat /sys/class/net/br1/ifindex").await, index);
            assert_eq!(driver.dhcp_leases(&id, None).await.unwrap().len(), 1);
            driver.destroy(&id).await.unwrap();
            nothing_is_left(&host).await;
        },
    );
}

#[test]
fn netns_what_is_missing_is_put_back_or_the_network_is_down() {
    in_namespaces(
        "restart::netns_what_is_missing_is_put_back_or_the_network_is_down",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            let id = start(&driver, &network(1, "<forward mode='nat'/>", "")).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            guest.comes_to_reach("192.0.2.2").await;
            drop(driver);
            sh("nft flush ruleset && kill -9 $(busybox pidof dnsmasq)").await;
            assert!(!guest.reaches("192.0.2.2").await);
            let driver = host.open().await;
            driver.set_autostart(&id, true).await.unwrap();
            guest.comes_to_reach("192.0.2.2").await;
            sh("ip -n g1 addr flush dev eth0").await;
            assert_eq!(guest.dhcp(&host).await, "10.1.0.50");
            // Nobody can be on a bridge that is gone.
            drop(driver);
            sh("ip link delete br1").await;
            let driver = host.open().await;
            until("it is down", || async {
                !driver.view(id.uuid).await.unwrap().active
            })
            .await;
            driver.set_autostart(&id, false).await.unwrap();
            nothing_is_left(&host).await;
            driver.create(&id).await.unwrap();
        },
    );
}

/// Where a daemon is killed: while this program is run for so many times, before or after it has done its work.
struct Moment {
    program: &'static str,
    time: u8,
    is_done: bool,
}

/// What the daemon is killed at.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Start,
    Stop,
}

/// Programs, one of which hangs at a moment, and the file in which it then says which process it is.
fn hanging(host: &Host, moment: &Moment) -> (Programs, PathBuf) {
    let dir = host.dir.path().join("programs");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let mut programs = Programs::default();
    let place = match moment.program {
        "ip" => &mut programs.ip,
        "nft" => &mut programs.nft,
        _ => &mut programs.dnsmasq,
    };
    let (count, hung) = (dir.join("count"), dir.join("hung"));
    let real = place.display();
    let work = if moment.is_done {
        format!("{real} \"$@\"")
    } else {
        "true".to_owned()
    };
    let (counted, time, told) = (count.display(), moment.time, hung.display());
    let script = format!(
        "#!/bin/sh\necho >> {counted}\nif [ $(wc -l < {counted}) = {time} ]; then {work}; echo $$ > {told}.new; \
         mv {told}.new {told}; exec sleep 1000; fi\nexec {real} \"$@\"\n"
    );
    let wrapper = dir.join(moment.program);
    std::fs::write(&wrapper, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&wrapper, mode).unwrap();
    *place = wrapper;
    (programs, hung)
}

/// Has a daemon of its own do something with a network, and kills it at that moment.
async fn kill(host: &Host, moment: &Moment, what: What, id: NetworkId) {
    let (programs, hung) = hanging(host, moment);
    let config = Config {
        programs,
        ..host.config()
    };
    let daemon = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    daemon.spawn(async move {
        let driver = NetworkDriver::open(config).await.unwrap();
        let done = match what {
            What::Start => driver.create(&id).await,
            What::Stop => driver.destroy(&id).await,
        };
        panic!("it was not killed: {done:?}");
    });
    until(
        &format!("{} hangs for the {}th time", moment.program, moment.time),
        || async { hung.exists() },
    )
    .await;
    let pid = std::fs::read_to_string(&hung).unwrap();
    daemon.shutdown_background();
    let process = PathBuf::from(format!("/proc/{}/cmdline", pid.trim()));
    until("the program is gone", || async {
        std::fs::read(&process).map_or(true, |words| words.is_empty())
    })
    .await;
}

#[test]
fn netns_a_daemon_killed_at_any_step_leaves_nothing() {
    in_namespaces(
        "restart::netns_a_daemon_killed_at_any_step_leaves_nothing",
        |host| async move {
            let driver = host.open().await;
            let id = define(&driver, &network(1, "<forward mode='nat'/>", ""))
                .await
                .id
                .clone();
            drop(driver);
            // In the order in which they are run: making the bridge, filtering, addresses, the server; and back.
            let steps = [
                (What::Start, "ip", 1),
                (What::Start, "nft", 1),
                (What::Start, "ip", 2),
                (What::Start, "dnsmasq", 1),
                // The first time is for the network that is taken in.
                (What::Stop, "nft", 2),
                (What::Stop, "ip", 1),
            ];
            for (what, program, time) in steps {
                for is_done in [false, true] {
                    let moment = Moment {
                        program,
                        time,
                        is_done,
                    };
                    if what == What::Stop {
                        let driver = host.open().await;
                        driver.create(&id).await.unwrap();
                        drop(driver);
                    }
                    kill(&host, &moment, what, id.clone()).await;
                    let driver = host.open().await;
                    assert!(!driver.view(id.uuid).await.unwrap().active);
                    // It has its turn when all is undone.
                    driver.set_autostart(&id, false).await.unwrap();
                    nothing_is_left(&host).await;
                }
            }
            let driver = host.open().await;
            driver.create(&id).await.unwrap();
            driver.destroy(&id).await.unwrap();
            nothing_is_left(&host).await;
        },
    );
}

async fn nothing_is_left(host: &Host) {
    let links = sh("ip -br link").await;
    assert!(!links.contains("br1"), "{links}");
    assert!(!sh("nft list tables").await.contains("virtbus"));
    assert!(!sh("busybox ps").await.contains("dnsmasq --conf-file"));
    let run = host.dir.path().join("run");
    let left: Vec<_> = std::fs::read_dir(run)
        .unwrap()
        .map(|one| one.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
