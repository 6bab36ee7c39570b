//! Which modules of a crate know each other in a circle, by the paths that their sources have to one another.
//!
//! Of interest are a crate's top-level modules, each with all that is below it. A module knows another whose path it names, by `crate::`,
//! by as many `super::` as lead to the crate's root, or by a name that the root re-exports. What is compiled for tests only does not count.
//! Knows nothing of types: calling a method of a value is no edge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Token, tokens};

/// Which top-level module names which other ones.
pub type Edges = BTreeMap<String, BTreeSet<String>>;

/// The edges between the top-level modules of the crate whose sources are in this folder.
///
/// # Errors
/// A source that cannot be read, or is not Rust.
pub fn edges(sources: &Path) -> Result<Edges, String> {
    let roots = ["lib.rs", "main.rs"].map(|name| sources.join(name));
    let Some(root) = roots.iter().find(|root| root.is_file()) else {
        return Err(format!("'{}' has no root", sources.display()));
    };
    let root = read(root)?;
    let modules: BTreeSet<String> = declared(&root).into_iter().collect();
    let exported = exported(&root, &modules);
    let mut edges = Edges::new();
    for top in &modules {
        let mut known = BTreeSet::new();
        let mut todo = vec![(sources.to_owned(), top.clone(), 1)];
        while let Some((folder, name, depth)) = todo.pop() {
            let found = read(&file_of(&folder, &name))?;
            let below = folder.join(&name);
            todo.extend(
                declared(&found)
                    .into_iter()
                    .map(|inner| (below.clone(), inner, depth + 1)),
            );
            for name in named(&found, depth) {
                let module = exported.get(&name).unwrap_or(&name);
                if modules.contains(module) && module != top {
                    known.insert(module.clone());
                }
            }
        }
        edges.insert(top.clone(), known);
    }
    Ok(edges)
}

/// The circles: sets of modules of which each knows every other one, by whatever way.
#[must_use]
pub fn circles(edges: &Edges) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> = edges
        .keys()
        .map(|from| (from, reached(edges, from)))
        .collect();
    let mut circles: Vec<BTreeSet<String>> = Vec::new();
    for (from, to) in &reached {
        if !to.contains(from) || circles.iter().any(|circle| circle.contains(*from)) {
            continue;
        }
        let back = to.iter().filter(|one| reached[*one].contains(from));
        circles.push(back.map(|one| (*one).clone()).collect());
    }
    circles
}

fn reached<'e>(edges: &'e Edges, from: &String) -> BTreeSet<&'e String> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&String> = edges[from].iter().collect();
    while let Some(next) = todo.pop() {
        if found.insert(next) {
            todo.extend(&edges[next]);
        }
    }
    found
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(format!("{name}.rs"));
    if file.is_file() {
        return file;
    }
    folder.join(name).join("mod.rs")
}

/// The tokens of a source, without what is compiled for tests only.
fn read(path: &Path) -> Result<Vec<Token>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let found = tokens(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(without_tests(&found))
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

fn is_at(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    let mut words = words.iter().enumerate();
    words.all(|(offset, word)| text(tokens, at + offset) == *word)
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const FOR_TESTS: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_at(tokens, at, &FOR_TESTS) {
            at = after_item(tokens, at + FOR_TESTS.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the item that begins here: its semicolon, or its body.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match text(tokens, at) {
            ";" if depth == 0 => return at + 1,
            "{" | "(" | "[" => depth += 1,
            closing @ ("}" | ")" | "]") => {
                depth = depth.saturating_sub(1);
                if depth == 0 && closing == "}" {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The modules that have files of their own, and not those of others (`#[path]`).
fn declared(tokens: &[Token]) -> Vec<String> {
    let is_ours = |at: &usize| {
        let before = tokens[..*at].iter().rev();
        let attributes = before.take_while(|token| !matches!(token.text.as_str(), ";" | "}"));
        text(tokens, *at) == "mod"
            && text(tokens, *at + 2) == ";"
            && !attributes.into_iter().any(|token| token.text == "path")
    };
    (0..tokens.len())
        .filter(is_ours)
        .map(|at| text(tokens, at + 1).to_owned())
        .collect()
}

/// What the root gives names of its own, with the module that it is in.
fn exported(root: &[Token], modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut exported = BTreeMap::new();
    for at in (0..root.len()).filter(|at| text(root, *at) == "use") {
        let first = match text(root, at + 1) {
            "crate" | "self" => at + 3,
            _ => at + 1,
        };
        let module = text(root, first);
        if !modules.contains(module) {
            continue;
        }
        let rest = root[first + 1..]
            .iter()
            .take_while(|token| token.text != ";");
        for token in rest.filter(|token| !modules.contains(&token.text)) {
            exported.insert(token.text.clone(), module.to_owned());
        }
    }
    exported
}

/// What is named at the crate's root from a module that is so deep below it.
fn named(tokens: &[Token], depth: usize) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for at in 0..tokens.len() {
        let behind = if is_at(tokens, at, &["crate", "::"]) {
            at + 2
        } else if is_at(tokens, at, &["super", "::"]) && (at < 2 || text(tokens, at - 2) != "super")
        {
            let supers = (0..)
                .take_while(|number| is_at(tokens, at + 2 * number, &["super", "::"]))
                .count();
            if supers != depth {
                continue;
            }
            at + 2 * supers
        } else {
            continue;
        };
        if text(tokens, behind) == "{" {
            named.extend(first_of_each(tokens, behind));
        } else {
            named.insert(text(tokens, behind).to_owned());
        }
    }
    named
}

/// The first name of each path in the list that opens here.
fn first_of_each(tokens: &[Token], open: usize) -> Vec<String> {
    let (mut names, mut depth, mut begins) = (Vec::new(), 0_usize, true);
    for token in &tokens[open..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            "," => begins = depth == 1,
            name => {
                if begins && depth == 1 {
                    names.push(name.to_owned());
                }
                begins = false;
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Token> {
        without_tests(&tokens(text).unwrap())
    }

    #[test]
    fn what_is_named_is_found_however_it_is_written() {
        let text = "
            use crate::one::{Thing, other};
            use crate::{two, three::{four, Five}, six as seven};
            use super::super::eight::Nine;
            use super::beside;
            fn f() { crate::ten::f(); } // crate::comment
            #[cfg(test)] mod tests { use crate::eleven; }
            #[cfg(test)] use crate::twelve;
        ";
        let found: Vec<String> = named(&of(text), 2).into_iter().collect();
        assert_eq!(found, ["eight", "one", "six", "ten", "three", "two"]);
        let above: Vec<String> = named(&of("use super::beside;"), 1).into_iter().collect();
        assert_eq!(above, ["beside"]);
    }

    #[test]
    fn names_that_the_root_exports_lead_to_their_modules() {
        let root = of(
            "mod one; mod two; pub use one::{Thing, inner::Other}; pub(crate) use crate::two::third;",
        );
        let modules: BTreeSet<String> = declared(&root).into_iter().collect();
        assert!(modules.iter().eq(["one", "two"]));
        let exported = exported(&root, &modules);
        assert_eq!(exported["Thing"], "one");
        assert_eq!(exported["Other"], "one");
        assert_eq!(exported["third"], "two");
    }

    #[test]
    fn circles_are_found_and_ways_are_none() {
        let edges = |list: &[(&str, &[&str])]| -> Edges {
            list.iter()
                .map(|(from, to)| {
                    let to = to.iter().map(|one| (*one).to_owned()).collect();
                    ((*from).to_owned(), to)
                })
                .collect()
        };
        let way = edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
        assert!(circles(&way).is_empty());
        let two = edges(&[
            ("a", &["b"]),
            ("b", &["c"]),
            ("c", &["a", "d"]),
            ("d", &["e"]),
            ("e", &["d"]),
            ("f", &["a"]),
        ]);
        let found: Vec<Vec<String>> = circles(&two)
            .into_iter()
            .map(|circle| circle.into_iter().collect())
            .collect();
        assert_eq!(found, [vec!["a", "b", "c"], vec!["d", "e"]]);
    }
}
