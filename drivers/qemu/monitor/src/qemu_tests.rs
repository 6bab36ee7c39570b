//! The monitor against the real thing.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::UnixStream;
use virtbus_skip::or_skip;
use virtbus_util::cmd::{Child, Cmd};

use super::commands::introspect::{QueryMachines, QueryQmpSchema};
use super::commands::qom::{QomGet, QomList};
use super::commands::system::{HumanMonitorCommand, QueryKvm, QueryStatus, Quit, RunState};
use super::commands::{block, chardev, cpu, memory, system};
use super::event::Event;
use super::tests::bounded;
use super::{CloseReason, Limits, Monitor, Notification};

const QEMU: &str = "/usr/bin/qemu-system-x86_64";

/// Kills what is left of a QEMU when a test fails.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::KILL);
    }
}

/// A QEMU that never runs its guest, and our end of its monitor; or the reason to skip.
fn start(args: &[&str]) -> Result<(Qemu, UnixStream), String> {
    if !Path::new(QEMU).exists() {
        return Err(format!("needs {QEMU}"));
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut cmd = Cmd::new(QEMU);
    let theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    let fd = cmd.pass_fd(theirs.into());
    cmd.args(["-nodefaults", "-no-user-config", "-display", "none", "-S"])
        .args(["-chardev", &format!("socket,id=mon,fd={fd}")])
        .args(["-mon", "chardev=mon,mode=control"])
        .args(args)
        .parent_death_signal(Signal::KILL);
    Ok((Qemu(cmd.spawn().unwrap()), ours))
}

#[tokio::test]
async fn qemu_answers_and_ends() {
    let (mut qemu, stream) = or_skip!(start(&["-machine", "none"]));
    let (monitor, mut events) = Monitor::open(stream, Limits::default()).await.unwrap();
    let status = monitor.execute(&QueryStatus {}).await.unwrap();
    assert_eq!(status.status, RunState::PreLaunch);
    assert!(!monitor.execute(&QueryKvm {}).await.unwrap().enabled);
    // Many at once.
    let info = HumanMonitorCommand {
        command_line: "info name".to_owned(),
        cpu_index: None,
    };
    let (schema, machines, line) = tokio::join!(
        monitor.execute(&QueryQmpSchema {}),
        monitor.execute(&QueryMachines {}),
        monitor.execute(&info)
    );
    assert!(schema.unwrap().get().len() > 50_000);
    assert!(
        machines
            .unwrap()
            .iter()
            .any(|m| m.name == "q35" || m.alias.as_deref() == Some("q35"))
    );
    assert!(line.is_ok());
    monitor.execute(&Quit {}).await.unwrap();
    let mut shutdown = false;
    let reason = loop {
        match bounded(events.recv()).await.unwrap() {
            Notification::Event { event, timestamp } => {
                assert!(timestamp.seconds > 0);
                shutdown |= matches!(event, Event::Shutdown(s) if !s.guest);
            }
            Notification::Closed { reason } => break reason,
        }
    };
    assert!(shutdown);
    assert_eq!(reason, CloseReason::EndOfFile);
    assert!(bounded(qemu.0.wait()).await.unwrap().is_success());
}

/// Each reply type against what a whole machine answers.
#[tokio::test]
async fn qemu_replies_have_the_expected_form() {
    let args = [
        "-machine",
        "pc,accel=tcg",
        "-m",
        "64",
        "-smp",
        "1,maxcpus=2",
        "-blockdev",
        r#"{"driver":"null-co","node-name":"disk","size":65536,"read-zeroes":true}"#,
        "-device",
        "virtio-blk-pci,drive=disk,id=vda",
        "-device",
        "virtio-balloon-pci,id=balloon0",
        "-object",
        "iothread,id=io1",
        "-chardev",
        "null,id=ser0",
        "-device",
        "isa-serial,chardev=ser0",
        "-vnc",
        "none",
    ];
    let (_qemu, stream) = or_skip!(start(&args));
    let (monitor, _events) = Monitor::open(stream, Limits::default()).await.unwrap();
    let cpus = monitor.execute(&cpu::QueryCpusFast {}).await.unwrap();
    assert_eq!(cpus[0].props.socket_id, Some(0));
    let plug = monitor
        .execute(&cpu::QueryHotpluggableCpus {})
        .await
        .unwrap();
    assert_eq!(plug.len(), 2);
    let models = monitor.execute(&cpu::QueryCpuDefinitions {}).await.unwrap();
    assert!(models.iter().any(|m| m.name == "qemu64"));
    let expanded = cpu::QueryCpuModelExpansion {
        expansion: cpu::Expansion::Static,
        model: cpu::CpuModel {
            name: "max".to_owned(),
            props: None,
        },
    };
    let expanded = monitor.execute(&expanded).await.unwrap();
    assert_eq!(expanded.model.name, "base");
    let block = monitor.execute(&block::QueryBlock {}).await.unwrap();
    let inserted = block[0].inserted.as_ref().unwrap();
    assert_eq!(inserted.node_name.as_deref(), Some("disk"));
    assert_eq!(inserted.image.as_ref().unwrap().virtual_size, 65536);
    let nodes = block::QueryNamedBlockNodes { flat: Some(true) };
    assert_eq!(monitor.execute(&nodes).await.unwrap()[0].drv, "null-co");
    let stats = block::QueryBlockstats { query_nodes: None };
    let stats = monitor.execute(&stats).await.unwrap();
    assert_eq!(stats[0].stats.rd_bytes, 0);
    assert!(stats[0].qdev.is_some());
    let iothreads = monitor.execute(&system::QueryIothreads {}).await.unwrap();
    assert_eq!(iothreads[0].id, "io1");
    let chardevs = monitor.execute(&chardev::QueryChardev {}).await.unwrap();
    assert!(
        chardevs
            .iter()
            .any(|c| c.label == "ser0" && c.frontend_open)
    );
    let memory = monitor
        .execute(&memory::QueryMemorySizeSummary {})
        .await
        .unwrap();
    assert_eq!(memory.base_memory, 64 << 20);
    let balloon = monitor.execute(&memory::QueryBalloon {}).await.unwrap();
    assert_eq!(balloon.actual, 64 << 20);
    let list = QomList {
        path: "/machine/peripheral".to_owned(),
    };
    let list = monitor.execute(&list).await.unwrap();
    assert!(
        list.iter()
            .any(|p| p.name == "vda" && p.kind == "child<virtio-blk-pci>")
    );
    let get = QomGet {
        path: "/machine/peripheral/vda".to_owned(),
        property: "type".to_owned(),
    };
    assert_eq!(
        monitor.execute(&get).await.unwrap().get(),
        "\"virtio-blk-pci\""
    );
    let short = monitor
        .execute_within(&QueryStatus {}, Duration::from_secs(5))
        .await;
    assert_eq!(short.unwrap().status, RunState::PreLaunch);
    monitor.execute(&Quit {}).await.unwrap();
}

/// A stopped QEMU is silent; when it goes on, so do we.
#[tokio::test]
async fn qemu_that_is_stopped_is_unresponsive_until_it_goes_on() {
    let (qemu, stream) = or_skip!(start(&["-machine", "none"]));
    let (monitor, _events) = Monitor::open(stream, Limits::default()).await.unwrap();
    qemu.0.signal(Signal::STOP).unwrap();
    let short = Duration::from_millis(50);
    let late = monitor.execute_within(&QueryStatus {}, short).await;
    assert!(late.unwrap_err().is_timeout());
    assert!(!monitor.is_responsive());
    qemu.0.signal(Signal::CONT).unwrap();
    bounded(async {
        while monitor.execute(&QueryStatus {}).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(monitor.is_responsive());
    monitor.execute(&Quit {}).await.unwrap();
}
