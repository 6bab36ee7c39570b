//! Rust sources as tokens, for rules about what they may say: comments and the content of strings
//! are not code, and only tokens tell them apart for certain.
//!
//! Knows nothing of names and types: `use x as y` gets around every rule here, and a reviewer sees it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A token with its line. Groups are flattened: their brackets are tokens of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// An identifier, a literal, or a punctuation mark; `::` is one token.
    pub text: String,
    /// The line in the file, from 1.
    pub line: usize,
}

/// The tokens of a source file.
///
/// # Errors
/// That it is not Rust, with the line.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
        format!("line {}: {error}", error.span().start().line)
    })?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut colon = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: String, line| tokens.push(Token { text, line });
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open.to_owned(), line);
                flatten(group.stream(), tokens);
                tokens.push(Token {
                    text: close.to_owned(),
                    line: group.span_close().start().line,
                });
                colon = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                if colon {
                    tokens.pop();
                    tokens.push(Token {
                        text: "::".to_owned(),
                        line,
                    });
                    colon = false;
                } else {
                    push(":".to_owned(), line);
                    colon = punct.spacing() == Spacing::Joint;
                }
            }
            other => {
                push(other.to_string(), line);
                colon = false;
            }
        }
    }
}

/// The lines on which these tokens stand one after the other.
#[must_use]
pub fn lines_with(tokens: &[Token], words: &[&str]) -> Vec<usize> {
    tokens
        .windows(words.len())
        .filter(|window| {
            let texts = window.iter().map(|token| token.text.as_str());
            texts.eq(words.iter().copied())
        })
        .map(|window| window[0].line)
        .collect()
}

/// The lines on which `name` is taken from the module `module`: `module::name`, or by a list as
/// in `module::{other, name}`.
#[must_use]
pub fn lines_naming(tokens: &[Token], module: &str, name: &str) -> Vec<usize> {
    let mut lines = lines_with(tokens, &[module, "::", name]);
    for (at, window) in tokens.windows(3).enumerate() {
        let texts = [&window[0].text, &window[1].text, &window[2].text];
        if texts.map(String::as_str) != [module, "::", "{"] {
            continue;
        }
        let listed = tokens[at + 3..]
            .iter()
            .take_while(|token| token.text != "}" && token.text != ";");
        lines.extend(
            listed
                .filter(|token| token.text == name)
                .map(|token| token.line),
        );
    }
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_comments_and_strings_are_not_code() {
        let text = "//! unsafe\nfn f() { /* unsafe */ g(\"unsafe\") }\nunsafe fn g() {}\n";
        let tokens = tokens(text).unwrap();
        assert_eq!(lines_with(&tokens, &["unsafe"]), [3]);
    }

    #[test]
    fn a_name_is_found_by_its_path_and_in_lists() {
        let text = "use std::process::{Child, Command};\nfn f() { process::Command::new() }\n";
        let tokens = tokens(text).unwrap();
        assert_eq!(lines_naming(&tokens, "process", "Command"), [1, 2]);
        assert_eq!(
            lines_naming(&tokens, "process", "Stdio"),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn what_is_not_rust_is_refused_with_its_line() {
        assert!(
            tokens("fn f() {}\nfn g( {")
                .unwrap_err()
                .starts_with("line ")
        );
    }
}
