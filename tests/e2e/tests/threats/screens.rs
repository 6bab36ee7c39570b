//! T18: a way in that is taken for closed: a screen with a password lets in those who have it, one whose password is empty or has
//! expired nobody. Passwords are tried as a viewer tries them.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use virtbus_tests::wait::{LIMIT, patient};
use virtbus_tests::{DomainXml, Testbed, leaks, need, or_skip};

/// Ways of RFB to tell who one is: nobody has to; by a password.
const NONE: u8 = 1;
const PASSWORD: u8 = 2;

/// Passwords of screens, as attributes, with what is tried and whether that is let in.
const CASES: [(&str, &[(&str, bool)]); 4] = [
    ("", &[("", true)]),
    (
        "passwd='sesame'",
        &[
            ("", false),
            ("sesam", false),
            ("sesames", false),
            ("sesame", true),
        ],
    ),
    ("passwd=''", &[("", false), ("sesame", false)]),
    (
        "passwd='sesame' passwdValidTo='2001-02-03T04:05:06'",
        &[("", false), ("sesame", false)],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_lets_in_who_has_its_password_and_nobody_else() {
    or_skip!(need::program("openssl"));
    or_skip!(encrypted("", &[0; 16]));
    let testbed = or_skip!(Testbed::with_qemu().await);
    for (number, (attributes, tries)) in CASES.iter().enumerate() {
        let guest = DomainXml::small(&format!("screen-{number}")).device(&format!(
            "<graphics type='vnc' {attributes}><listen type='socket'/></graphics>"
        ));
        let domain = testbed.run(&guest).await;
        let socket = screen(&testbed);
        for (password, let_in) in *tries {
            let found = enter(&socket, password);
            let found = found.unwrap_or_else(|error| panic!("{attributes}: {error}"));
            assert_eq!(found, *let_in, "<graphics {attributes}>: '{password}'");
        }
        domain.act("Destroy", 0).await.unwrap();
        domain.act("Undefine", 0).await.unwrap();
    }
    testbed.end().await;
}

/// The socket of the one screen there is.
fn screen(testbed: &Testbed) -> PathBuf {
    let mut sockets = leaks::sockets(testbed.daemon.state_dir());
    sockets.retain(|path| path.ends_with("graphics0.sock"));
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    sockets.remove(0)
}

/// Does as a viewer with this password: whether it would be shown the screen.
fn enter(socket: &Path, password: &str) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patient(LIMIT)))?;
    let mut version = [0; 12];
    stream.read_exact(&mut version)?;
    assert_eq!(&version, b"RFB 003.008\n");
    stream.write_all(&version)?;
    let mut count = [0];
    stream.read_exact(&mut count)?;
    let mut ways = vec![0; count[0].into()];
    stream.read_exact(&mut ways)?;
    if ways.contains(&NONE) {
        stream.write_all(&[NONE])?;
    } else {
        assert_eq!(ways, [PASSWORD]);
        stream.write_all(&[PASSWORD])?;
        let mut challenge = [0; 16];
        stream.read_exact(&mut challenge)?;
        let answer = encrypted(password, &challenge).map_err(io::Error::other)?;
        stream.write_all(&answer)?;
    }
    let mut refused = [0; 4];
    stream.read_exact(&mut refused)?;
    Ok(refused == [0; 4])
}

/// What RFB wants to have back: encrypted by DES, with the password as its key, each byte of which is turned round.
///
/// # Errors
/// That there is no DES here: a reason to skip.
fn encrypted(password: &str, challenge: &[u8; 16]) -> Result<Vec<u8>, String> {
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(password.bytes()) {
        *to = from.reverse_bits();
    }
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let lacking = |error: io::Error| format!("needs openssl with DES: {error}");
    let mut openssl = Command::new("openssl")
        .args(["enc", "-des-ecb", "-nopad", "-K", &key])
        .args(["-provider", "default", "-provider", "legacy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(lacking)?;
    let mut input = openssl.stdin.take().expect("it is piped");
    input.write_all(challenge).map_err(lacking)?;
    drop(input);
    let done = openssl.wait_with_output().map_err(lacking)?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let first = said.lines().next().unwrap_or_default();
    Err(format!("needs openssl with DES: {first}"))
}
