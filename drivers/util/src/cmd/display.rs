//! A command as text for logs. Nothing here is ever run.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::Cmd;

pub(super) struct Display<'a>(pub(super) &'a Cmd);

impl fmt::Display for Display<'_> {
    /// Variables first, then the program, then each option with what follows it up to the next.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0.env {
            write!(f, "{}=", name.to_string_lossy())?;
            quote(f, value)?;
            f.write_str(" \\\n")?;
        }
        quote(f, self.0.program.as_os_str())?;
        for arg in &self.0.args {
            let starts_option = arg.as_bytes().first() == Some(&b'-');
            f.write_str(if starts_option { " \\\n" } else { " " })?;
            quote(f, arg)?;
        }
        Ok(())
    }
}

/// Writes a word so that a POSIX shell reads it back. Bytes that are not UTF-8 cannot be shown in
/// text and appear as U+FFFD.
fn quote(f: &mut fmt::Formatter<'_>, word: &OsStr) -> fmt::Result {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return f.write_str(&text);
    }
    f.write_str("'")?;
    for c in text.chars() {
        if c == '\'' {
            f.write_str("'\\''")?;
        } else {
            write!(f, "{c}")?;
        }
    }
    f.write_str("'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_option_a_line() {
        let mut cmd = Cmd::new("/usr/bin/qemu-system-x86_64");
        cmd.env_remove("PATH")
            .env("HOME", "/var/lib/x y")
            .args(["-name", "guest=it's,debug-threads=on", "-S", "-object"])
            .arg(r#"{"qom-type":"secret"}"#)
            .args(["-append", ""]);
        assert_eq!(
            cmd.display().to_string(),
            "HOME='/var/lib/x y' \\\n\
             LC_ALL=C \\\n\
             /usr/bin/qemu-system-x86_64 \\\n\
             -name 'guest=it'\\''s,debug-threads=on' \\\n\
             -S \\\n\
             -object '{\"qom-type\":\"secret\"}' \\\n\
             -append ''"
        );
    }
}
