//! Images as they are written, changed, cut short and forged.

use super::*;

/// The header of an earlier form, and of other programs.
fn plain(word: &[u8; 16], room: u32) -> Vec<u8> {
    let mut header = word.to_vec();
    for number in [VERSION, room, 1, 0, 0].into_iter().chain([0; 14]) {
        header.extend(number.to_ne_bytes());
    }
    header
}

fn key(dir: &Path) -> SealKey {
    SealKey::new(dir)
}

fn is_it(path: &Path, identity: Uuid) -> bool {
    let key = key(path.parent().unwrap());
    let mut file = File::open(path).unwrap();
    is(&mut file, path, identity, &key).unwrap()
}

fn saved(dir: &Path, xml: &str, identity: Uuid) -> PathBuf {
    let path = dir.join("guest.save");
    let mut file = File::create_new(&path).unwrap();
    let header = begin(&mut file, &path, xml, true, identity).unwrap();
    file.write_all(b"state").unwrap();
    complete(&file, &path, header, &key(dir)).unwrap();
    path
}

fn read(path: &Path) -> (Header, String) {
    let (mut file, header) = open(path, Access::Read).unwrap();
    let mut state = String::new();
    file.read_to_string(&mut state).unwrap();
    (header, state)
}

#[test]
fn what_was_saved_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Uuid::new_v4();
    let path = saved(dir.path(), "<domain/>", identity);
    let (header, state) = read(&path);
    assert_eq!((&*header.xml, &*state), ("<domain/>", "state"));
    assert!(header.running);
    assert!(is_it(&path, identity));
    assert!(!is_it(&path, Uuid::new_v4()));
    spend(&path).unwrap();
    assert!(!is_it(&path, identity), "it is not complete");
}

#[test]
fn what_others_wrote_into_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Uuid::new_v4();
    let path = saved(dir.path(), "<domain/>", identity);
    let key = key(dir.path());
    let (mut header, _) = read(&path);
    assert!(header.is_sealed(&key).unwrap());
    // Whoever can write the file can do all that the daemon does but the seal.
    let file = File::options().write(true).open(&path).unwrap();
    let own = header.clone();
    for change in [
        |header: &mut Header| header.xml = "<domine/>".to_owned(),
        |header: &mut Header| header.running = false,
        |header: &mut Header| header.identity = Some(Uuid::new_v4()),
    ] {
        header = own.clone();
        change(&mut header);
        header.write_text(&file, &path).unwrap();
        header.write_header(&file, &path).unwrap();
        let (read, _) = read(&path);
        assert_eq!(read.xml, header.xml);
        assert!(!read.is_sealed(&key).unwrap());
        assert!(!is_it(&path, identity));
    }
    // Another program's, or of an earlier form.
    std::fs::write(
        &path,
        [&plain(COMPLETE, 12)[..], b"<domain/>\0\0\0"].concat(),
    )
    .unwrap();
    assert!(!read(&path).0.is_sealed(&key).unwrap());
}

#[test]
fn an_image_that_is_not_complete_is_told_from_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("guest.save");
    let mut file = File::create_new(&path).unwrap();
    begin(&mut file, &path, "<domain/>", true, Uuid::new_v4()).unwrap();
    drop(file);
    let open = |path| open(path, Access::Read);
    assert!(matches!(open(&path), Err(ImageError::Incomplete(_))));
    for foreign in [&b""[..], b"LibvirtQemudSav", &[0; 400], &[b'x'; 400]] {
        std::fs::write(&path, foreign).unwrap();
        assert!(matches!(open(&path), Err(ImageError::NotAnImage(_))));
    }
    std::fs::write(&path, plain(COMPLETE, u32::MAX)).unwrap();
    assert!(matches!(open(&path), Err(ImageError::NotAnImage(_))));
    std::fs::write(&path, plain(COMPLETE, 1000)).unwrap();
    assert!(matches!(open(&path), Err(ImageError::Io { .. })));
}

#[test]
fn nonsense_in_our_part_of_the_header_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(dir.path(), "<domain/>", Uuid::new_v4());
    let whole = std::fs::read(&path).unwrap();
    for (number, value) in [(10, u32::MAX), (11, u32::MAX), (11, 3), (12, 0), (10, 1)] {
        let mut bytes = whole.clone();
        let at = 16 + 4 * number;
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        std::fs::write(&path, bytes).unwrap();
        let refused = open(&path, Access::Read);
        assert!(matches!(refused, Err(ImageError::NotAnImage(_))));
    }
}

#[test]
fn an_image_is_written_off_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(dir.path(), "<domain/>", Uuid::new_v4());
    let before = std::fs::read(&path).unwrap();
    spend(&path).unwrap();
    let spent = open(&path, Access::Read);
    assert!(matches!(spent, Err(ImageError::Incomplete(_))));
    spend(&path).unwrap();
    take_back(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    spend(&dir.path().join("gone")).unwrap();
}

#[test]
fn images_of_the_earlier_form_are_read_and_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("guest.save");
    let mut bytes = plain(COMPLETE, 100);
    bytes.extend(b"<domain/>");
    bytes.resize(HEADER as usize + 100, 0);
    bytes.extend(b"state");
    std::fs::write(&path, bytes).unwrap();
    let (header, state) = read(&path);
    assert_eq!((&*header.xml, &*state), ("<domain/>", "state"));
    assert_eq!(header.identity, None);

    let (file, mut header) = open(&path, Access::Change).unwrap();
    rewrite(
        &file,
        &path,
        &mut header,
        ("<domain>x</domain>", false),
        &key(dir.path()),
    )
    .unwrap();
    let (header, state) = read(&path);
    assert_eq!((&*header.xml, &*state), ("<domain>x</domain>", "state"));
    assert!(!header.running);
}

#[test]
fn a_definition_is_exchanged_as_long_as_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Uuid::new_v4();
    let path = saved(dir.path(), "<domain/>", identity);
    let (file, mut header) = open(&path, Access::Change).unwrap();
    for length in [3000, 10, 8000, 8000, 1] {
        let xml = format!("<domain>{}</domain>", "x".repeat(length));
        rewrite(&file, &path, &mut header, (&xml, false), &key(dir.path())).unwrap();
        let (read, state) = read(&path);
        assert_eq!((&*read.xml, &*state), (&*xml, "state"));
        assert_eq!((read.running, read.identity), (false, Some(identity)));
        assert_eq!(read, header);
        // Where other programs look for it.
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes[HEADER as usize..].starts_with(xml.as_bytes()));
    }
    let before = std::fs::read(&path).unwrap();
    let too_long = "x".repeat(40_000);
    let refused = rewrite(
        &file,
        &path,
        &mut header,
        (&too_long, false),
        &key(dir.path()),
    );
    assert!(matches!(refused, Err(ImageError::TooLong { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// What an exchange writes, cut short after each of its bytes, leaves the old definition or the new one.
#[test]
fn an_exchange_that_is_cut_short_leaves_one_of_two_definitions() {
    let dir = tempfile::tempdir().unwrap();
    let path = saved(dir.path(), "<domain>old</domain>", Uuid::new_v4());
    let old = std::fs::read(&path).unwrap();
    let (file, mut header) = open(&path, Access::Change).unwrap();
    let text = "<domain>the new one</domain>";
    rewrite(&file, &path, &mut header, (text, true), &key(dir.path())).unwrap();
    let new = std::fs::read(&path).unwrap();

    // The same in the order in which it was written: the text, the header, the text in its first place, the header again.
    let base = HEADER as usize;
    let second = base + header.room as usize - text.len() - 1;
    let mut behind = header.clone();
    behind.place.offset = u32::try_from(second - base).unwrap();
    let mut ended = text.as_bytes().to_vec();
    ended.push(0);
    let steps: [(usize, Vec<u8>, bool); 4] = [
        (second, ended.clone(), false),
        (0, behind.encode(COMPLETE).to_vec(), true),
        (base, ended, false),
        (0, new[..base].to_vec(), true),
    ];
    let mut bytes = old;
    for (at, written, whole) in steps {
        let cuts = if whole {
            vec![0, written.len()]
        } else {
            (0..=written.len()).collect()
        };
        for cut in cuts {
            let mut torn = bytes.clone();
            torn[at..at + cut].copy_from_slice(&written[..cut]);
            std::fs::write(&path, torn).unwrap();
            let (header, state) = read(&path);
            let known = ["<domain>old</domain>", text];
            assert!(known.contains(&&*header.xml), "{}", header.xml);
            assert_eq!(state, "state");
        }
        bytes[at..at + written.len()].copy_from_slice(&written);
    }
    assert_eq!(bytes, new, "these are the steps of an exchange");
}

#[test]
fn pipes_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let refused = open(&path, Access::Read);
    assert!(matches!(refused, Err(ImageError::NotAFile(_))));
}
