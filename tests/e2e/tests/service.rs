//! The daemon as a service among others: how it logs is asked for and changed over the bus, as systemd's tools do it.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use virtbus_tests::client::Object;
use virtbus_tests::wait::wait_until;
use virtbus_tests::walk::{ROOT, introspect, managed};
use virtbus_tests::{Testbed, need, or_skip};
use zbus::Variant;

const PATH: &str = "/org/freedesktop/LogControl1";
const INTERFACE: &str = "org.freedesktop.LogControl1";
const LIMIT: Duration = Duration::from_secs(5);

/// What the daemon writes when the level was changed and still lets that through.
const SAID: &str = "the log level was changed";

async fn testbed() -> Result<Testbed, String> {
    if std::env::var_os("VIRTBUS_LOG").is_some() {
        return Err("needs VIRTBUS_LOG not to be set".to_owned());
    }
    let mut testbed = Testbed::prepare(&[]).await?;
    let config = testbed.daemon.state_dir().join("config");
    let written = std::fs::create_dir_all(&config)
        .and_then(|()| std::fs::write(config.join("virtbusd.toml"), "[daemon]\nlog = \"warn\"\n"));
    written.map_err(|error| format!("needs room for settings: {error}"))?;
    testbed.daemon.start(&testbed.client).await;
    Ok(testbed)
}

fn log_control(testbed: &Testbed) -> Object {
    testbed.client.object(PATH, INTERFACE)
}

async fn set(control: &Object, name: &str, value: &str) -> Result<(), String> {
    let done = control.set(name, Variant::from(value)).await;
    done.map_err(|error| error.name().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_is_changed_as_the_daemon_runs() {
    let testbed = or_skip!(testbed().await);
    let control = log_control(&testbed);
    let times_said = || testbed.daemon.log_tail().matches(SAID).count();
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "warning");
    assert_eq!(
        control.get::<String>("SyslogIdentifier").await.unwrap(),
        "virtbusd"
    );

    set(&control, "LogLevel", "notice").await.unwrap();
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "notice");
    set(&control, "LogLevel", "debug").await.unwrap();
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "debug");
    wait_until("the daemon to log it", LIMIT, || times_said() == 1).await;

    // By its number, and the one line more is there before what follows.
    set(&control, "LogLevel", "6").await.unwrap();
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "info");
    wait_until("the daemon to log it", LIMIT, || times_said() == 2).await;
    set(&control, "LogLevel", "err").await.unwrap();
    set(&control, "LogLevel", "emerg").await.unwrap();
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "emerg");
    assert_eq!(times_said(), 2, "{}", testbed.daemon.log_tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_set_is_refused_and_changes_nothing() {
    let testbed = or_skip!(testbed().await);
    let control = log_control(&testbed);
    let invalid = Err("org.freedesktop.DBus.Error.InvalidArgs".to_owned());
    for level in ["", "8", "trace", "virtbusd=debug"] {
        assert_eq!(set(&control, "LogLevel", level).await, invalid, "{level}");
    }
    for target in ["", "kmsg", "syslog", "/dev/null"] {
        assert_eq!(set(&control, "LogTarget", target).await, invalid);
    }
    let wrong = control.set("LogLevel", Variant::from(7_u32)).await;
    assert_eq!(
        wrong.unwrap_err().name(),
        "org.freedesktop.DBus.Error.InvalidArgs"
    );
    assert_eq!(
        set(&control, "SyslogIdentifier", "other").await,
        Err("org.freedesktop.DBus.Error.PropertyReadOnly".to_owned())
    );
    assert_eq!(
        set(&control, "LogColour", "blue").await,
        Err("org.freedesktop.DBus.Error.UnknownProperty".to_owned())
    );
    assert_eq!(control.get::<String>("LogLevel").await.unwrap(), "warning");
    assert_eq!(control.get::<String>("LogTarget").await.unwrap(), "console");
    for target in ["console", "auto"] {
        set(&control, "LogTarget", target).await.unwrap();
        assert_eq!(control.get::<String>("LogTarget").await.unwrap(), "console");
    }
    let unknown = control.call::<_, ()>("Explode", &()).await.unwrap_err();
    assert_eq!(
        unknown.name(),
        "org.freedesktop.DBus.Error.UnknownMethod",
        "{unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_object_is_like_any_other_but_no_manager_s() {
    let testbed = or_skip!(testbed().await);
    // In both dialects: nothing of this is libvirt-dbus's, so nothing is wrapped twice.
    for name in ["org.libvirt", "org.virtbus"] {
        let all = log_control(&testbed).of(name).get_all().await.unwrap();
        let all: BTreeMap<String, String> = all
            .into_iter()
            .map(|(name, value)| (name, String::try_from(value).expect("a string")))
            .collect();
        let wanted = [
            ("LogLevel", "warning"),
            ("LogTarget", "console"),
            ("SyslogIdentifier", "virtbusd"),
        ];
        assert_eq!(
            all,
            BTreeMap::from(wanted.map(|(name, value)| (name.to_owned(), value.to_owned())))
        );
    }

    let introspect = async |path: &str| introspect(&testbed.client, path).await.unwrap();
    assert!(
        introspect("/org")
            .await
            .contains("<node name=\"freedesktop\"/>")
    );
    assert!(
        introspect("/org/freedesktop")
            .await
            .contains("<node name=\"LogControl1\"/>")
    );
    let told = introspect(PATH).await;
    for words in [
        "<interface name=\"org.freedesktop.LogControl1\">",
        "<property name=\"LogLevel\" type=\"s\" access=\"readwrite\">",
        "<property name=\"LogTarget\" type=\"s\" access=\"readwrite\">",
        "<property name=\"SyslogIdentifier\" type=\"s\" access=\"read\">",
        "<interface name=\"org.freedesktop.DBus.Properties\">",
    ] {
        assert!(told.contains(words), "no {words} in {told}");
    }

    let managed = managed(&testbed.client, ROOT).await.unwrap();
    assert!(!managed.is_empty());
    assert!(managed.keys().all(|path| path.starts_with("/org/libvirt/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn root_others_may_look_and_not_change_it() {
    or_skip!(need::root());
    or_skip!(need::program("busctl"));
    let testbed = or_skip!(testbed().await);
    let as_somebody = |arguments: &[&str]| -> Output {
        let mut busctl = need::ends_with_us("setpriv");
        busctl
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg("busctl")
            .arg(format!("--address={}", testbed.bus.address()))
            .args(arguments);
        busctl.output().unwrap()
    };
    let object = ["org.libvirt", PATH, INTERFACE];
    let read = as_somebody(&[&["get-property"], &object[..], &["LogLevel"]].concat());
    assert_eq!(String::from_utf8_lossy(&read.stdout), "s \"warning\"\n");
    for (name, value) in [("LogLevel", "debug"), ("LogTarget", "console")] {
        let set = as_somebody(&[&["set-property"], &object[..], &[name, "s", value]].concat());
        let said = String::from_utf8_lossy(&set.stderr);
        assert!(
            !set.status.success() && said.contains("ccess denied"),
            "{said}"
        );
    }
    let level: String = log_control(&testbed).get("LogLevel").await.unwrap();
    assert_eq!(level, "warning");
}
