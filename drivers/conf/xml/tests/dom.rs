//! What the DOM accepts, refuses and reports.

use virtbus_xml::{Document, ErrorKind, Limits};

fn refuse(text: &str, kind: ErrorKind) -> String {
    let error = Document::parse(text).expect_err(text);
    assert_eq!(error.kind(), kind, "{text}: {error}");
    error.to_string()
}

#[test]
fn values_are_normalised() {
    let doc = Document::parse("<?xml version='1.0'?>\n<a x='1\n2' y=\"&lt;&#x41;'\">t&amp;\r\nu<![CDATA[<&]]>v<b/>w</a>\n").unwrap();
    let a = doc.root();
    assert_eq!(
        (a.attr("x"), a.attr("y"), a.attr("z")),
        (Some("1 2"), Some("<A'"), None)
    );
    assert_eq!(a.text(), "t&\nu<&vw");
    assert!(a.child("b").is_some() && a.child("c").is_none());
    assert!(doc.leftovers(10).is_empty());
}

#[test]
fn malformed_documents_are_refused() {
    for text in [
        "",
        " ",
        "a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a b/>",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a b='<'/>",
        "<a b='&x;'/>",
        "<a>&nbsp;</a>",
        "<a>&</a>",
        "<a>]]></a>",
        "<1/>",
        "<a b='1'c='2'/>",
        "<a b='1",
        "<a><!-- -- --></a>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<a>\u{1}</a>",
        "<a/><?xml version='1.0'?>",
        "<a x='&#0;'/>",
        "<a><![CDATA[x</a>",
        "<a/>&amp;",
        "<a/><![CDATA[x]]>",
        "<a \u{b7}='1'/>",
        "< a/>",
        "<a =''/>",
        "<a x=''y/>",
    ] {
        refuse(text, ErrorKind::Syntax);
    }
}

#[test]
fn errors_have_a_place() {
    let text = refuse("<a>\n  <b x='1' x='2'/>\n</a>", ErrorKind::Syntax);
    assert!(text.starts_with("line 2, column 12: "), "{text}");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for text in [
        "\u{feff}<a b='c'/>",
        "\u{feff}<?xml version='1.0'?><a b='c'/>",
    ] {
        let doc = Document::parse(text).unwrap();
        assert_eq!(doc.root().name(), "a");
        assert_eq!(doc.root().attr("b"), Some("c"));
    }
    refuse("\u{feff}\u{feff}<a/>", ErrorKind::Syntax);
    refuse(" \u{feff}<a/>", ErrorKind::Syntax);
    refuse("\u{feff} <?xml version='1.0'?><a/>", ErrorKind::Syntax);
    let text = refuse("\u{feff}<a b/>", ErrorKind::Syntax);
    assert!(text.starts_with("line 1, column 4: "), "{text}");
}

#[test]
fn limits_hold() {
    let limits = Limits {
        bytes: 100,
        depth: 3,
        nodes: 5,
        attributes: 2,
    };
    let parse = |text: &str| {
        Document::parse_within(text, &limits)
            .map(|_| ())
            .map_err(|e| e.kind())
    };
    assert_eq!(parse("<a><b><c/></b></a>"), Ok(()));
    for text in [
        "<a><b><c><d/></c></b></a>".to_owned(),
        "<a><b/><b/><b/><b/><b/></a>".to_owned(),
        "<a x='1' y='2' z='3'/>".to_owned(),
        format!("<a>{}</a>", "x".repeat(100)),
    ] {
        assert_eq!(parse(&text), Err(ErrorKind::Limit), "{text}");
    }
    let deep = "<a>".repeat(10_000);
    assert_eq!(Document::parse(&deep).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn leftovers_are_in_document_order() {
    let doc = Document::parse("<a x='1' y='2'><b><z/></b>text<c><d/></c></a>").unwrap();
    let a = doc.root();
    a.attr("x");
    a.child("c");
    let left: Vec<_> = doc
        .leftovers(10)
        .into_iter()
        .map(|l| (l.element, l.attribute, l.text, l.column))
        .collect();
    let y = ("a".to_owned(), Some("y".to_owned()), false, 10);
    let b = ("b".to_owned(), None, false, 16);
    let text = ("a".to_owned(), None, true, 27);
    let d = ("d".to_owned(), None, false, 34);
    assert_eq!(left, [y, b, text, d]);
    let error = doc.check_no_leftovers().unwrap_err();
    assert_eq!(
        (error.kind(), error.attribute(), error.column()),
        (ErrorKind::Unknown, Some("y"), Some(10))
    );
}

#[test]
fn namespaces() {
    let doc = Document::parse("<a xmlns:q='urn:q'><q:b/><b/><x xmlns='urn:x'><y/></x><u:v/></a>")
        .unwrap();
    let a = doc.root();
    assert_eq!(a.children("b").count(), 1);
    assert_eq!(a.children_in("urn:q", "b").count(), 1);
    assert_eq!(a.children_in("urn:x", "x").count(), 1);
    assert!(a.child("x").is_none());
    // A prefix that nobody declared is part of the name.
    assert!(a.child("u:v").is_some());
}
