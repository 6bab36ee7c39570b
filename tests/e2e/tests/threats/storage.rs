//! Files that do not answer: what waits for them is told so in time, and nobody else waits.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use virtbus_tests::domain::SHUTOFF;
use virtbus_tests::mounts::Mount;
use virtbus_tests::{DomainXml, Testbed, or_skip};

fn disk(kind: &str, path: &std::path::Path) -> String {
    let path = path.display();
    format!(
        "<disk type='file' device='{kind}'><driver name='qemu' type='raw'/><source file='{path}'/>\
         <target dev='sda' bus='scsi'/></disk><controller type='scsi' model='virtio-scsi'/>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn root_a_file_system_that_hangs_holds_up_its_own_guests_only() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let dir = testbed.path("silent");
    fs::create_dir(&dir).unwrap();
    let hung = or_skip!(Mount::silent(&dir));
    let mut stuck = Vec::new();
    for (name, device) in [
        ("console", String::new()),
        ("disk", disk("disk", &dir.join("disk.img"))),
    ] {
        let mut guest = DomainXml::small(name).device(&device);
        if device.is_empty() {
            guest = guest.serial_file(&dir.join("console.log"));
        }
        stuck.push(testbed.define(&guest).await);
    }
    let other = testbed.define(&DomainXml::small("other")).await;

    let starts = stuck.iter().map(|domain| {
        let domain = domain.clone();
        tokio::spawn(async move { domain.act("Create", 0).await })
    });
    let starts: Vec<_> = starts.collect();
    for _ in 0..3 {
        other.act("Create", 0).await.unwrap();
        for domain in &stuck {
            domain.state().await.unwrap();
            domain.xml(0).await.unwrap();
        }
        other.act("Destroy", 0).await.unwrap();
    }
    for start in starts {
        let refused = start.await.unwrap().unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        assert!(refused.to_string().contains("did not answer"), "{refused}");
    }
    for domain in &stuck {
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    }
    drop(hung);
    testbed.remove_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_the_place_of_a_disk_is_refused_by_name() {
    let testbed = or_skip!(Testbed::with_qemu().await);
    let pipe = testbed.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    for kind in ["disk", "cdrom"] {
        let guest = DomainXml::small(kind).device(&disk(kind, &pipe));
        let domain = testbed.define(&guest).await;
        let refused = domain.act("Create", 0).await.unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        let text = refused.to_string();
        assert!(
            text.contains("is a FIFO") && text.contains(pipe.to_str().unwrap()),
            "{text}"
        );
        assert_eq!(domain.state().await.unwrap().0, SHUTOFF);
    }
    testbed.remove_all().await;
}
