//! Times as the file has them: `2006-01-02T15:04:05Z`.
//!
//! Only the form is looked at, and only of what is to be written; what is in a file stays as it is.

use crate::error::Error;

const FORM: &[u8] = b"dddd-dd-ddTdd:dd:ddZ";

/// Refuses what is no time.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    let fits = text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        });
    if fits {
        return Ok(());
    }
    Err(Error::Time(virtbus_xml::shortened(text.to_owned(), 100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_own_form_is_taken() {
        assert_eq!(check("2024-02-29T23:59:59Z"), Ok(()));
        for bad in [
            "",
            "2024-02-29 23:59:59",
            "2024-02-29T23:59:59+01:00",
            "2024-02-29T23:59:59.5Z",
            "2024-02-2９T23:59:5Z",
        ] {
            assert_eq!(check(bad), Err(Error::Time(bad.to_owned())));
        }
    }
}
