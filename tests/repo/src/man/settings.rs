//! The page of the settings file, from the sample file: comments are what a setting means, what is commented out its default.

use super::roff::{bold, italic, plain, text};

/// What precedes the settings.
const HEAD: &str = r#".\" Generated from data/virtbusd.toml by the tests in tests/repo (VIRTBUS_BLESS=1 writes it anew).
.TH VIRTBUSD.TOML 5 "" "Virtbus" "File formats"
.SH NAME
virtbusd.toml \- settings of virtbusd
.SH SYNOPSIS
.I /etc/virtbus/virtbusd.toml
.br
.IR $XDG_CONFIG_HOME /virtbus/virtbusd.toml
.SH DESCRIPTION
The settings of
.BR virtbusd (8),
in TOML: sections in brackets, and lines of a name,
.B =
and a value.
Strings are in quotes, lists in brackets, and
.B #
begins a comment.
.PP
The file is read once, when the daemon starts; a restart disturbs no guest.
It need not be there, and what it does not name has its default.
A name that is not known, or a value of the wrong type, keeps the daemon from starting, and is told with its line.
So do values that cannot hold (numbers out of their range, ports of which none is left, paths that are not absolute), told with the name of the
setting.
.PP
The first path is that of the system's daemon, the second that of a session's; the option
.B \-\-config
names another.
.B virtbusd \-\-print\-config
prints a file with all of this, everything commented out.
"#;

const TAIL: &str = r#".SH EXAMPLES
Guests reachable by VNC from everywhere, and a log that tells more of them:
.PP
.nf
.RS
[daemon]
log = "info,virtbus_qemu=debug"

[qemu]
vnc_listen = "0.0.0.0"
.RE
.fi
.SH "SEE ALSO"
.BR virtbusd (8),
.BR virtbus\-dbus (7)
"#;

/// The page for a sample file.
pub(super) fn page(sample: &str) -> Result<String, String> {
    let mut page = HEAD.to_owned();
    let mut comment: Vec<&str> = Vec::new();
    // What stands above the first section is about the file.
    let mut within = false;
    for line in sample.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if let Some(section) = line.strip_prefix('[') {
            within = true;
            page.push_str(&format!(".SH \"[{}\"\n", plain(section)));
            page.push_str(&paragraph(&mut comment, line)?);
        } else if let Some(setting) = line.strip_prefix('#') {
            let (name, default) = setting
                .split_once(" = ")
                .ok_or_else(|| format!("no setting: {line}"))?;
            let kind = kind_of(default).ok_or_else(|| format!("a value of which type? {line}"))?;
            page.push_str(&format!(".TP\n{} = {}\n", bold(name), italic(kind)));
            page.push_str(&paragraph(&mut comment, line)?);
            page.push_str(&format!("Default: {}.\n", bold(default)));
        } else if line.is_empty() {
            if !within {
                comment.clear();
            }
        } else {
            return Err(format!("neither comment nor setting: {line}"));
        }
    }
    page.push_str(TAIL);
    Ok(page)
}

/// The comment so far as a paragraph, a sentence a line.
fn paragraph(comment: &mut Vec<&str>, about: &str) -> Result<String, String> {
    if comment.is_empty() {
        return Err(format!("not explained: {about}"));
    }
    let words = std::mem::take(comment).join(" ");
    Ok(text(&words.replace(". ", ".\n")) + "\n")
}

/// The type of a default, in words.
fn kind_of(value: &str) -> Option<&'static str> {
    match value {
        "true" | "false" => Some("true or false"),
        _ if value.starts_with('"') => Some("string"),
        _ if value.starts_with('[') => Some("list of strings"),
        _ if value.parse::<u64>().is_ok() => Some("number"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_its_meaning_type_and_default() {
        let sample = "# The file.\n\n# All of it.\n[daemon]\n\n# How long. Then it\n# ends.\n#idle_timeout = 120\n";
        let page = page(sample).unwrap();
        let wanted = ".SH \"[daemon]\"\nAll of it.\n.TP\n\\fBidle_timeout\\fR = \\fInumber\\fR\nHow long.\nThen it ends.\nDefault: \\fB120\\fR.\n";
        assert!(page.contains(wanted), "{page}");
        assert!(!page.contains("The file."), "{page}");
    }

    #[test]
    fn what_is_not_explained_is_told() {
        let problem = page("# All.\n[daemon]\n\n#log = \"info\"\n").unwrap_err();
        assert_eq!(problem, "not explained: #log = \"info\"");
    }
}
