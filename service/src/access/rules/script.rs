//! What a rules file looks at of an action, as far as its text tells for certain.
//!
//! A rule is JavaScript, and a program can get at an attribute in many ways: `action.lookup("domain_name")`, `"" + action`,
//! `action["look" + "up"]`, a helper that the action is handed to. Only one way is recognized here: a function written directly into
//! `polkit.addRule(…)`, whose first parameter is used for nothing but `.id` and `.lookup("…")` with a plain string. Whatever
//! else a file does with that parameter, or to get around it, makes the answer [`Looks::Anything`].
//!
//! This decides whether polkit is told what a call is about. A wrong [`Looks::At`] would hide an object from a rule that refuses
//! it, so every doubt is an [`Looks::Anything`], which costs time and nothing else.

use std::collections::BTreeSet;

/// What a text looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Looks {
    /// At the attributes of these names, and at no other.
    At(BTreeSet<String>),
    /// At any, for all that can be told.
    Anything,
}

/// What the rules in `text` look at.
pub(super) fn looks(text: &str) -> Looks {
    tokens(text)
        .and_then(|tokens| attributes(&tokens))
        .map_or(Looks::Anything, Looks::At)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// A string without its quotes; `None` if it has escapes.
    Text(Option<&'a str>),
    Mark(char),
    /// A number or a regular expression.
    Value,
}

/// Words by which a script reaches what it was not handed by name, or changes what names mean.
const DETOURS: [&str; 17] = [
    "Action",
    "Duktape",
    "Function",
    "Object",
    "Proxy",
    "Reflect",
    "__proto__",
    "arguments",
    "callee",
    "caller",
    "constructor",
    "eval",
    "globalThis",
    "import",
    "prototype",
    "this",
    "with",
];

/// Members of `polkit` that take no rule.
const HARMLESS: [&str; 3] = ["Result", "log", "spawn"];
/// Members of `polkit` that do.
const REGISTERING: [&str; 2] = ["addRule", "addAdminRule"];

/// The names that are looked up; `None` if that is not certain.
fn attributes(tokens: &[Token<'_>]) -> Option<BTreeSet<String>> {
    let at = |index: usize| tokens.get(index).copied();
    let is_member = |index: usize| is_member(&tokens[..index]);
    let mut declared = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word) = *token else { continue };
        if DETOURS.contains(&word) {
            return None;
        }
        if word != "polkit" || is_member(index) {
            continue;
        }
        let (Some(Token::Mark('.')), Some(Token::Word(member))) = (at(index + 1), at(index + 2))
        else {
            return None;
        };
        if REGISTERING.contains(&member) {
            declared.extend(parameter(tokens, index + 3)?);
        } else if !HARMLESS.contains(&member) {
            return None;
        }
    }
    let names: BTreeSet<&str> = declared.iter().map(|(_, name)| *name).collect();
    let mut found = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let Token::Word(word) = *token else { continue };
        let is_declaration = declared.iter().any(|(place, _)| *place == index);
        if !names.contains(word) || is_declaration || is_member(index) {
            continue;
        }
        let used = [1, 2, 3, 4, 5].map(|ahead| at(index + ahead));
        match used {
            [Some(Token::Mark('.')), Some(Token::Word("id")), ..] => {}
            [
                Some(Token::Mark('.')),
                Some(Token::Word("lookup")),
                Some(Token::Mark('(')),
                Some(Token::Text(Some(name))),
                Some(Token::Mark(')')),
            ] => {
                found.insert(name.to_owned());
            }
            _ => return None,
        }
    }
    Some(found)
}

/// The first parameter of the function that is written at `index`, behind the name of what registers it: its place and name, nothing if
/// the function has none. `None` if no function is written there.
fn parameter<'a>(tokens: &[Token<'a>], index: usize) -> Option<Option<(usize, &'a str)>> {
    let at = |index: usize| tokens.get(index).copied();
    if at(index) != Some(Token::Mark('(')) {
        return None;
    }
    let mut open = index + 1;
    let is_arrow = at(open) != Some(Token::Word("function"));
    if !is_arrow {
        open += 1;
        if let Some(Token::Word(_)) = at(open) {
            open += 1;
        }
    } else if let (Some(Token::Word(name)), Some(Token::Mark('=')), Some(Token::Mark('>'))) =
        (at(open), at(open + 1), at(open + 2))
    {
        return Some(Some((open, name)));
    }
    if at(open) != Some(Token::Mark('(')) {
        return None;
    }
    let mut close = open + 1;
    let mut names = Vec::new();
    while at(close) != Some(Token::Mark(')')) {
        let Some(Token::Word(name)) = at(close) else {
            return None;
        };
        names.push((close, name));
        close += 1;
        if at(close) == Some(Token::Mark(',')) {
            close += 1;
        } else if at(close) != Some(Token::Mark(')')) {
            return None;
        }
    }
    let arrow = [at(close + 1), at(close + 2)] == [Some(Token::Mark('=')), Some(Token::Mark('>'))];
    let body = at(close + 1) == Some(Token::Mark('{'));
    if (is_arrow && !arrow) || (!is_arrow && !body) {
        return None;
    }
    Some(names.first().copied())
}

/// The text in tokens, without comments; `None` for what this does not read with certainty.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("<!--") || rest.starts_with("-->") {
            // A comment to some interpreters.
            return None;
        }
        if next.is_ascii_whitespace() || next == '\u{feff}' {
            rest = &rest[next.len_utf8()..];
        } else if let Some(comment) = rest.strip_prefix("//") {
            let end = comment.find(is_line_end).unwrap_or(comment.len());
            rest = &comment[end..];
            rest = rest.strip_prefix(is_line_end).unwrap_or(rest);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/")? + 2..];
        } else if next == '"' || next == '\'' {
            let length = quoted(&rest[1..], |c| c == next)?;
            let inside = &rest[1..1 + length];
            tokens.push(Token::Text((!inside.contains('\\')).then_some(inside)));
            rest = &rest[length + 2..];
        } else if next.is_ascii_alphabetic() || next == '_' || next == '$' {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..end]));
            rest = &rest[end..];
        } else if next.is_ascii_digit() {
            tokens.push(Token::Value);
            rest = &rest[number(rest)..];
        } else if next == '/' && !divides(&tokens)? {
            let length = expression(&rest[1..])?;
            tokens.push(Token::Value);
            rest = &rest[length + 2..];
        } else if next.is_ascii_punctuation() && next != '\\' && next != '`' {
            tokens.push(Token::Mark(next));
            rest = &rest[1..];
        } else {
            return None;
        }
    }
    Some(tokens)
}

const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// How long what is inside quotes is; `None` if the line ends before they are closed.
fn quoted(text: &str, closes: impl Fn(char) -> bool) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_line_end(c) => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if closes(c) => return Some(at),
            _ => {}
        }
    }
    None
}

/// How long a regular expression is, up to the slash that ends it.
fn expression(text: &str) -> Option<usize> {
    let in_class = std::cell::Cell::new(false);
    quoted(text, |c| {
        match c {
            '[' => in_class.set(true),
            ']' => in_class.set(false),
            _ => {}
        }
        c == '/' && !in_class.get()
    })
}

/// How long the number is that a text begins with. What is called on it is not part of it.
fn number(text: &str) -> usize {
    let word = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    let whole = word(text);
    match text[whole..].strip_prefix('.') {
        Some(part) if part.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + word(part),
        _ => whole,
    }
}

/// Whether what comes behind these tokens is a member of something: behind a dot, and not behind the three that spread a list.
fn is_member(before: &[Token<'_>]) -> bool {
    let (last, earlier) = (before.last(), before.len().checked_sub(2));
    let is_spread = earlier.is_some_and(|place| before[place] == Token::Mark('.'));
    last == Some(&Token::Mark('.')) && !is_spread
}

/// Words behind which a slash begins a regular expression.
const BEFORE_EXPRESSIONS: [&str; 11] = [
    "case",
    "delete",
    "do",
    "else",
    "in",
    "instanceof",
    "new",
    "return",
    "throw",
    "typeof",
    "void",
];

/// Words that are such to some interpreters or in some places, and names to others.
const PERHAPS_BEFORE_EXPRESSIONS: [&str; 5] = ["await", "default", "extends", "of", "yield"];

/// Whether a slash behind these tokens divides; `None` where both may be.
fn divides(before: &[Token<'_>]) -> Option<bool> {
    let Some((last, earlier)) = before.split_last() else {
        return Some(false);
    };
    match *last {
        Token::Value | Token::Text(_) | Token::Mark(']') => Some(true),
        Token::Mark(')' | '}' | '.') => None,
        // Of two, they may belong to what is before them.
        Token::Mark('+' | '-') if earlier.last() == Some(last) => None,
        Token::Mark(_) => Some(false),
        Token::Word(_) if is_member(earlier) => Some(true),
        Token::Word(word) if BEFORE_EXPRESSIONS.contains(&word) => Some(false),
        Token::Word(word) if PERHAPS_BEFORE_EXPRESSIONS.contains(&word) => None,
        Token::Word(_) => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(names: &[&str]) -> Looks {
        Looks::At(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// A rule with this in its function's body.
    fn rule(body: &str) -> String {
        format!("polkit.addRule(function(action, subject) {{ {body} }});")
    }

    #[test]
    fn a_rule_looks_at_what_it_looks_up() {
        for (body, names) in [
            ("return polkit.Result.YES;", &[][..]),
            (
                "if (action.id == 'x' && subject.user == \"a\") return polkit.Result.NO;",
                &[],
            ),
            (
                "if (action.id.indexOf('org.libvirt.') === 0) polkit.log('looked'); // action!",
                &[],
            ),
            (
                "/* action */ return action.lookup('domain_name') == 'web' ? polkit.Result.YES : null;",
                &["domain_name"],
            ),
            (
                "switch (action . lookup ( \"pool_name\" )) { case 'a': return action.lookup('vol_name') }",
                &["pool_name", "vol_name"],
            ),
            (
                "if (/^org\\.libvirt[/\"']/.test(action.id)) return polkit.Result.YES; return 6 / 3;",
                &[],
            ),
            ("return subject.action == other.action;", &[]),
            (
                "return 1.5 / 2 + 0x1f.valueOf() > 0 ? null : Math.max(...subject.groups);",
                &[],
            ),
            (
                "if (x) throw /'/; return action.lookup('domain_name');",
                &["domain_name"],
            ),
        ] {
            assert_eq!(looks(&rule(body)), at(names), "{body}");
        }
        assert_eq!(looks(""), at(&[]));
        assert_eq!(
            looks("polkit.addRule(function() { return null; });"),
            at(&[])
        );
        assert_eq!(
            looks("polkit.addAdminRule(function named(a) { return ['unix-group:' + a.id]; });"),
            at(&[])
        );
        assert_eq!(
            looks("polkit.addRule((a, s) => { return a.lookup('domain_uuid'); });"),
            at(&["domain_uuid"])
        );
        assert_eq!(
            looks("polkit.addRule(a => a.lookup('domain_uuid'));"),
            at(&["domain_uuid"])
        );
    }

    #[test]
    fn a_rule_may_look_at_anything_in_other_ways() {
        for body in [
            "if ((''+action).indexOf(\"domain_name='vault'\") >= 0) return polkit.Result.NO;",
            "return action._detail_domain_name == 'vault' ? polkit.Result.NO : null;",
            "return polkit.spawn(['/bin/check', ''+action]);",
            "return action['look'+'up']('domain_name');",
            "return action['lookup']('domain_name');",
            "return action.lookup('domain' + '_name');",
            "return action.lookup(key);",
            "return action.lookup('domain\\x5fname');",
            "return action.lookup;",
            "return decide(action);",
            "var a = action; return a.id;",
            "for (var k in action) { }",
            "return arguments[0].id;",
            "return eval('acti' + 'on');",
            "polkit.log('asked: ' + action);",
            "return `${action}`;",
            "var d = {...action}; return d._detail_domain_name == 'vault' ? polkit.Result.NO : null;",
            "return Math.max(...action);",
            "return f(...[action]);",
            "throw /'/.test(action) || /'/;",
            "new /'/.x(action, /'/);",
            "delete /'/[action] / /'/;",
            "return x instanceof /'/.y(action) || /'/.z;",
            "return void /'/.test(action) || /'/;",
            "for (var x of /'/.exec(action)) { x = '/'; }",
            "function* g() { yield /'/.test(action) || /'/; }",
            "return x++ / action._detail_domain_name / 2;",
            "return x.in / action._detail_domain_name / 2;",
            "return 1. / action._detail_domain_name / 2;",
            "return 1..constructor.constructor('return 1')();",
            "return \\u0061ction.id;",
            "if (x) /'/.test(action); // '",
            "return this;",
            "polkit._runRules = 1;",
            "var p = polkit; p.addRule(f);",
        ] {
            assert_eq!(looks(&rule(body)), Looks::Anything, "{body}");
        }
        for text in [
            "polkit.addRule(decide);",
            "polkit['addRule'](function(action) {});",
            "polkit.addRule(function({id}, subject) { return null; });",
            "polkit.addRule(function(action = 1) { return null; });",
            "polkit.addRule(function(action, subject) { return null; }",
            "Action.prototype.x = 1;",
            "// hidden \u{2028} polkit.addRule(f)",
            "'unended",
            "/* unended",
        ] {
            let expected = if text.ends_with("null; }") {
                at(&[])
            } else {
                Looks::Anything
            };
            assert_eq!(looks(text), expected, "{text}");
        }
    }

    #[test]
    fn no_text_panics() {
        let whole = rule("if (/a[/]b/.test(action.id)) { return action.lookup('ä') } /* é */ // ü");
        for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let _ = looks(&whole[..end]);
            let _ = looks(&whole[end..]);
        }
    }
}
