//! Programs that are missing, fail half-way, end or hang; a bridge that somebody deletes.

use std::path::PathBuf;
use std::time::Duration;

use virtbus_api::ErrorCode;
use virtbus_api::network::Networks;
use virtbus_network::{Backend, Config, NetworkDriver, Programs, Timeouts};

use crate::host::{Host, define, in_namespaces, network, sh, start, until};

const NAT: &str = "<forward mode='nat'/>";

/// A program of our own making.
fn program(host: &Host, name: &str, script: &str) -> PathBuf {
    let path = host.dir.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    path
}

async fn nothing_is_left(host: &Host) {
    assert!(!sh("ip -br link").await.contains("br1"));
    assert!(!sh("nft list tables").await.contains("virtbus"));
    assert!(!sh("iptables-save; ip6tables-save").await.contains("br1"));
    assert!(!sh("busybox ps").await.contains("dnsmasq --conf-file"));
    let left = std::fs::read_dir(host.dir.path().join("run")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn netns_a_program_that_is_missing_or_fails_is_named_and_nothing_is_left() {
    in_namespaces(
        "faults::netns_a_program_that_is_missing_or_fails_is_named_and_nothing_is_left",
        |host| async move {
            let id = define(&*host.open().await, &network(1, NAT, ""))
                .await
                .id
                .clone();
            let failing = program(&host, "failing", "echo it is broken >&2; exit 3");
            let hanging = program(&host, "hanging", "exec sleep 1000");
            let missing = PathBuf::from("/usr/sbin/no-such-program");
            let timeouts = Timeouts {
                program: Duration::from_millis(1500),
                ..Timeouts::default()
            };
            for bad in [&failing, &hanging, &missing] {
                let real = Programs::default;
                let with = [
                    (
                        Backend::Nftables,
                        Programs {
                            nft: bad.clone(),
                            ..real()
                        },
                    ),
                    (
                        Backend::Iptables,
                        Programs {
                            iptables: bad.clone(),
                            ..real()
                        },
                    ),
                    (
                        Backend::Nftables,
                        Programs {
                            dnsmasq: bad.clone(),
                            ..real()
                        },
                    ),
                    (
                        Backend::Nftables,
                        Programs {
                            ip: bad.clone(),
                            ..real()
                        },
                    ),
                ];
                for (backend, programs) in with {
                    let config = Config {
                        programs,
                        backend,
                        timeouts,
                        ..host.config()
                    };
                    let driver = NetworkDriver::open(config).await.unwrap();
                    let error = driver.create(&id).await.unwrap_err();
                    assert!(
                        error.message.contains("network 'n1' cannot be started"),
                        "{error}"
                    );
                    assert!(error.message.contains(bad.to_str().unwrap()), "{error}");
                    assert!(!driver.view(id.uuid).await.unwrap().active);
                    drop(driver);
                    // What a broken program could not undo, the next start or daemon does.
                    let driver = host.open().await;
                    driver.set_autostart(&id, false).await.unwrap();
                    nothing_is_left(&host).await;
                }
            }
        },
    );
}

#[test]
fn netns_rules_that_fail_half_way_leave_none() {
    in_namespaces(
        "faults::netns_rules_that_fail_half_way_leave_none",
        |host| async move {
            let id = define(&*host.open().await, &network(1, NAT, ""))
                .await
                .id
                .clone();
            let count = host.dir.path().join("count");
            let half = format!(
                "case \"$*\" in *--insert*br1*) echo >> {0}; [ $(wc -l < {0}) -lt 9 ] || exit 4;; esac\nexec /usr/sbin/iptables \"$@\"",
                count.display()
            );
            let iptables = program(&host, "half", &half);
            let config = Config {
                programs: Programs {
                    iptables,
                    ..Programs::default()
                },
                backend: Backend::Iptables,
                ..host.config()
            };
            let driver = NetworkDriver::open(config).await.unwrap();
            driver.create(&id).await.unwrap_err();
            nothing_is_left(&host).await;
        },
    );
}

#[test]
fn netns_a_server_that_ends_is_started_again() {
    in_namespaces(
        "faults::netns_a_server_that_ends_is_started_again",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, NAT, "")).await;
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            for _ in 0..2 {
                let pid = sh("cat /proc/net/dev > /dev/null; busybox ps | grep -- --conf-file | grep -v grep | awk '{print $1}'").await;
                sh(&format!("kill -9 {pid}")).await;
                until("another server runs", || async {
                    let now =
                        sh("busybox ps | grep -- --conf-file | grep -v grep | awk '{print $1}'")
                            .await;
                    !now.is_empty() && now != pid
                })
                .await;
            }
            assert_eq!(guest.dhcp(&host).await, "10.1.0.50");
            driver.destroy(&id).await.unwrap();
            nothing_is_left(&host).await;
        },
    );
}

#[test]
fn netns_a_port_that_is_taken_is_told() {
    in_namespaces(
        "faults::netns_a_port_that_is_taken_is_told",
        |host| async move {
            // Somebody serves DHCP on all interfaces, and does not share the port.
            let _taken = std::net::UdpSocket::bind("0.0.0.0:67").unwrap();
            let driver = host.open().await;
            let id = define(&driver, &network(1, NAT, "")).await.id.clone();
            let error = driver.create(&id).await.unwrap_err();
            assert!(error.message.contains("Address already in use"), "{error}");
            nothing_is_left(&host).await;
        },
    );
}

#[test]
fn netns_rules_that_others_flush_are_put_back() {
    in_namespaces(
        "faults::netns_rules_that_others_flush_are_put_back",
        |host| async move {
            host.outside().await;
            for backend in [Backend::Nftables, Backend::Iptables] {
                let driver = host.open_with(backend).await;
                let id = start(&driver, &network(1, NAT, "")).await;
                let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
                guest.dhcp(&host).await;
                guest.comes_to_reach("192.0.2.2").await;
                let before = (
                    sh("nft -s list ruleset | sort").await,
                    sh("iptables-save | grep -v '^[#:]' | sort").await,
                );
                let all_there = || async {
                    (
                        sh("nft -s list ruleset | sort").await,
                        sh("iptables-save | grep -v '^[#:]' | sort").await,
                    ) == before
                };
                // All at once, as a firewall does that is loaded anew; or a part of them.
                let chain = match backend {
                    Backend::Nftables => "nft flush chain ip virtbus_br1 guest_output",
                    Backend::Iptables => "iptables -F VIRTBUS_FWO",
                };
                for line in ["nft flush ruleset", chain] {
                    sh(line).await;
                    until(&format!("the rules are back after {line}"), all_there).await;
                    guest.comes_to_reach("192.0.2.2").await;
                }
                driver.destroy(&id).await.unwrap();
                driver.undefine(&id).await.unwrap();
                sh("ip netns delete g1; nft flush ruleset").await;
            }
        },
    );
}

#[test]
fn netns_rules_of_others_that_drop_guests_are_told() {
    in_namespaces(
        "faults::netns_rules_of_others_that_drop_guests_are_told",
        |host| async move {
            let driver = host.open().await;
            host.outside().await;
            sh("ip route add default via 192.0.2.2").await;
            // As a host with containers has it.
            sh("iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER && \
            iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT").await;
            let id = start(&driver, &network(1, NAT, "")).await;
            let heard = crate::host::Heard::to(&driver);
            let guest = host.guest("g1", "br1", "52:54:00:00:00:01").await;
            guest.dhcp(&host).await;
            assert!(!guest.reaches("192.0.2.2").await);
            let problems = || async { driver.view(id.uuid).await.unwrap().problems.to_vec() };
            // Packets from guest to guest are filtered as well, where the kernel has that switched on for all bridges.
            let setting = std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables");
            let bridged = setting.is_ok_and(|setting| setting.trim() == "1");
            let other = host.guest("g2", "br1", "52:54:00:00:00:02").await;
            let address = other.dhcp(&host).await;
            assert_eq!(guest.reaches(&address).await, !bridged);
            let expected = 2 + usize::from(bridged);
            until("it is told", || async {
                problems().await.len() == expected
            })
            .await;
            assert_eq!(heard.take(), ["~Network"]);
            let told = problems().await;
            let of_bridge = told
                .iter()
                .any(|one| one.starts_with("packets from guest to guest"));
            assert_eq!(of_bridge, bridged);
            assert!(
                told[0].contains("table 'ip filter', chain 'FORWARD', policy"),
                "{told:?}"
            );
            assert!(
                told[0].contains("DOCKER-USER") && told[0].ends_with("'br1'"),
                "{told:?}"
            );
            // What helps, helps, and is noticed.
            sh("iptables -I DOCKER-USER -i br1 -j ACCEPT && iptables -I DOCKER-USER -o br1 -j ACCEPT").await;
            guest.comes_to_reach("192.0.2.2").await;
            guest.comes_to_reach(&address).await;
            until("nothing is wrong any more", || async {
                problems().await.is_empty()
            })
            .await;
            // Another one, in a table of nftables; requests for addresses.
            sh("nft add table inet strict && nft 'add chain inet strict in { type filter hook input priority 5; policy accept; }' && \
            nft add rule inet strict in iifname br1 udp dport 67 drop").await;
            until("it is told", || async { problems().await.len() == 1 }).await;
            let told = problems().await;
            assert!(
                told[0].contains("(DHCP)") && told[0].contains("'inet strict', chain 'in', rule "),
                "{told:?}"
            );
            // Known by the next daemon too, and of no network that is down.
            drop(driver);
            let driver = host.open().await;
            until("it is told", || async {
                driver.view(id.uuid).await.unwrap().problems.len() == 1
            })
            .await;
            driver.destroy(&id).await.unwrap();
            assert!(driver.view(id.uuid).await.unwrap().problems.is_empty());
        },
    );
}

#[test]
fn netns_a_bridge_that_is_deleted_takes_its_network_down() {
    in_namespaces(
        "faults::netns_a_bridge_that_is_deleted_takes_its_network_down",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, NAT, "")).await;
            let heard = crate::host::Heard::to(&driver);
            sh("ip link delete br1").await;
            until("it is down", || async {
                !driver.view(id.uuid).await.unwrap().active
            })
            .await;
            assert_eq!(heard.take(), ["~Network", "Stopped"]);
            driver.set_autostart(&id, false).await.unwrap();
            nothing_is_left(&host).await;
            driver.create(&id).await.unwrap();
        },
    );
}

#[test]
fn netns_a_bridge_that_somebody_replaces_is_left_to_them() {
    in_namespaces(
        "faults::netns_a_bridge_that_somebody_replaces_is_left_to_them",
        |host| async move {
            let driver = host.open().await;
            let id = start(&driver, &network(1, NAT, "")).await;
            sh("ip link delete br1 && ip link add br1 type bridge && ip addr add 10.77.0.1/24 dev br1").await;
            until("it is down", || async {
                !driver.view(id.uuid).await.unwrap().active
            })
            .await;
            driver.set_autostart(&id, false).await.unwrap();
            assert!(sh("ip addr show br1").await.contains("10.77.0.1/24"));
            sh("ip link delete br1").await;
            nothing_is_left(&host).await;
        },
    );
}

#[test]
fn netns_work_on_a_network_waits_its_turn_and_reads_do_not() {
    in_namespaces(
        "faults::netns_work_on_a_network_waits_its_turn_and_reads_do_not",
        |host| async move {
            let view = define(&*host.open().await, &network(1, NAT, "")).await;
            let begun = host.dir.path().join("begun");
            let slow = program(
                &host,
                "slow",
                &format!(
                    "touch {0}; until [ -e {0}.end ]; do sleep 0.05; done; exec /usr/sbin/nft \"$@\"",
                    begun.display()
                ),
            );
            let config = Config {
                programs: Programs {
                    nft: slow,
                    ..Programs::default()
                },
                timeouts: Timeouts {
                    job: Duration::from_millis(200),
                    ..Timeouts::default()
                },
                ..host.config()
            };
            let driver = NetworkDriver::open(config).await.unwrap();
            let (starting, id) = (driver.clone(), view.id.clone());
            let start = tokio::spawn(async move { starting.create(&id).await });
            until("it is under way", || async { begun.exists() }).await;
            assert!(!driver.view(view.id.uuid).await.unwrap().active);
            assert_eq!(driver.views().await.unwrap().len(), 1);
            let error = driver.destroy(&view.id).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::OperationTimeout);
            assert!(error.message.contains("starting it"), "{error}");
            std::fs::write(begun.with_extension("end"), "").unwrap();
            start.await.unwrap().unwrap();
            driver.destroy(&view.id).await.unwrap();
        },
    );
}
