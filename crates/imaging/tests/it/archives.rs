//! Archives that were made to do harm: names that lead elsewhere, links, bombs, archives in archives.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use imaging::io::npz::read_arrays;
use imaging::io::{self, IoError, NpzError, ReadOptions};

/// What is not compressed, and what is deflated (PKWARE, APPNOTE.TXT, 4.4.5).
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A file in an archive, with everything that may be a lie.
struct Entry {
    name: String,
    method: u16,
    /// As it stands in the archive.
    packed: Vec<u8>,
    /// Length and checksum that are declared for the content.
    length: u32,
    checksum: u32,
    /// Rights and type of a file of Unix.
    mode: u32,
    flags: u16,
}

impl Entry {
    fn stored(name: &str, content: &[u8]) -> Self {
        let (length, checksum) = (content.len() as u32, crc32(content));
        Self {
            name: name.to_owned(),
            method: STORED,
            packed: content.to_vec(),
            length,
            checksum,
            mode: 0o100_644,
            flags: 0,
        }
    }

    /// A link to `target`.
    fn link(name: &str, target: &Path) -> Self {
        Self { mode: 0o120_777, ..Self::stored(name, target.to_string_lossy().as_bytes()) }
    }

    /// `content` deflated, as declared by the caller.
    fn deflated(name: &str, content: &[u8], length: u32) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        Self { method: DEFLATED, packed, length, checksum: crc32(content), ..Self::stored(name, b"") }
    }

    /// What the header in front of the content and the one in the directory share: version, flags, method, time, date,
    /// checksum, lengths.
    fn shared(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [20, self.flags, self.method, 0, 0x21] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.checksum, self.packed.len() as u32, self.length] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }
}

/// The checksum of zip files, which is that of gzip.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// An archive of the entries.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = bytes.len() as u32;
        bytes.extend(b"PK\x03\x04");
        bytes.extend(entry.shared());
        bytes.extend(entry.name.as_bytes());
        bytes.extend(&entry.packed);
        // made on Unix; no comment, first disk, no internal attributes
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(entry.shared());
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let (start, count) = (bytes.len() as u32, (entries.len() as u16).to_le_bytes());
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// A header of numpy's for bytes of this shape, and `count` zeros behind it.
fn array(shape: &str, count: usize) -> Vec<u8> {
    let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(bytes.len() + count, 0);
    bytes
}

fn refused(path: &Path, options: &ReadOptions) -> NpzError {
    match read_arrays(path, options) {
        Err(IoError::Npz { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn an_honest_archive_of_these_pieces_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let (a, b) = (array("(2, 3)", 6), array("(4, 1, 2)", 8));
    let entries = [Entry::stored("a.npy", &a), Entry::deflated("b.npy", &b, b.len() as u32)];
    fs::write(&path, archive(&entries)).unwrap();
    let read = read_arrays(&path, &ReadOptions::default()).unwrap();
    let shapes: Vec<(&str, &[usize])> =
        read.iter().map(|array| (array.name.as_str(), array.shape.as_slice())).collect();
    assert_eq!(shapes, [("a", &[2, 3][..]), ("b", &[4, 1, 2][..])]);
}

/// A name is a name: nothing is written anywhere, whatever it says, and no link is followed.
#[test]
fn names_and_links_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let inner = root.join("in/here");
    fs::create_dir_all(&inner).unwrap();
    let secret = root.join("secret.npy");
    fs::write(&secret, array("(1, 2)", 2)).unwrap();
    let path = inner.join("a.npz");
    let absolute = root.join("absolute.npy").to_string_lossy().into_owned();
    let names =
        ["../up.npy", "../../up.npy", &absolute, "..\\back.npy", "C:\\drive.npy", "x/../../deep.npy", "/.npy", ".npy"];
    let entries: Vec<Entry> = names.iter().map(|name| Entry::stored(name, &array("(2, 2)", 4))).collect();
    fs::write(&path, archive(&entries)).unwrap();
    let before = files(root);
    match read_arrays(&path, &ReadOptions::default()) {
        Ok(read) => assert!(read.iter().all(|array| array.values == [0.0; 4])),
        Err(error) => assert!(matches!(error, IoError::Npz { .. }), "{error}"),
    }
    let _ = io::read_volumes(&path, &ReadOptions::default());
    assert_eq!(files(root), before);

    // What a link holds is where it points to, and that is no array.
    for target in [secret.as_path(), Path::new("../../secret.npy"), Path::new("/etc/passwd")] {
        fs::write(&path, archive(&[Entry::link("a.npy", target)])).unwrap();
        assert!(matches!(refused(&path, &ReadOptions::default()), NpzError::Header { .. } | NpzError::Read { .. }));
        assert_eq!(files(root), before);
    }
}

/// Two files of one name are read in another order by every program.
#[test]
fn two_files_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let entries = [Entry::stored("a.npy", &array("(1, 1)", 1)), Entry::stored("a.npy", &array("(1, 2)", 2))];
    fs::write(&path, archive(&entries)).unwrap();
    assert!(matches!(refused(&path, &ReadOptions::default()), NpzError::Duplicate));
}

/// No more is unpacked than an array declares, and none that declares more than there is room for; what is no array is
/// not unpacked at all, so that archives in archives stay shut.
#[test]
fn bombs_are_refused_by_their_lengths() {
    const LARGE: usize = 16 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let options = ReadOptions { max_bytes: 1 << 20, ..ReadOptions::default() };
    let written = |entries: &[Entry]| {
        let bytes = archive(entries);
        assert!(bytes.len() < 1 << 20, "{} bytes are no bomb", bytes.len());
        fs::write(&path, bytes).unwrap();
    };
    let begun = Instant::now();
    // It says what it is, or hides it from the directory.
    let whole = array("(16, 1024, 1024)", LARGE);
    written(&[Entry::deflated("a.npy", &whole, whole.len() as u32)]);
    assert!(matches!(refused(&path, &options), NpzError::TooLarge { bytes, .. } if bytes == 4 * LARGE as u64));
    written(&[Entry::deflated("a.npy", &whole, 10)]);
    assert!(matches!(refused(&path, &options), NpzError::TooLarge { .. } | NpzError::Read { .. }));
    written(&[Entry::deflated("a.npy", &array("(4294967296, 4294967296)", 100), 100)]);
    assert!(matches!(refused(&path, &options), NpzError::TooLarge { .. }));
    // It says that it is small, and goes on.
    let more = array("(2, 3)", LARGE);
    for length in [more.len() as u32, 10] {
        written(&[Entry::deflated("a.npy", &more, length)]);
        let error = refused(&path, &ReadOptions::default());
        assert!(matches!(error, NpzError::Header { .. } | NpzError::Read { .. }), "{error}");
    }
    // Many of which each is small enough.
    let part = array("(256, 256)", 1 << 16);
    let parts: Vec<Entry> = (0..8).map(|at| Entry::deflated(&format!("{at}.npy"), &part, part.len() as u32)).collect();
    written(&parts);
    assert!(matches!(refused(&path, &options), NpzError::TooLarge { .. }));
    // An archive of archives, and one that is called an array.
    let inner = archive(&[Entry::deflated("deep.npy", &whole, whole.len() as u32)]);
    written(&[Entry::stored("inner.npz", &inner), Entry::stored("inner.zip", &inner)]);
    assert!(read_arrays(&path, &options).unwrap().is_empty());
    assert!(matches!(io::read_volumes(&path, &options), Err(IoError::Empty { .. })));
    written(&[Entry::stored("inner.npy", &inner)]);
    assert!(matches!(refused(&path, &options), NpzError::Header { .. }));
    assert!(begun.elapsed().as_secs_f64() < 30.0, "{:?}", begun.elapsed());
}

/// Checksums, lengths, methods and directories that are wrong.
#[test]
fn archives_that_contradict_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let content = array("(2, 3)", 6);
    let sound = || Entry::stored("a.npy", &content);
    let wrong = [
        Entry { checksum: 7, ..sound() },
        Entry { method: 99, ..sound() },
        // encrypted
        Entry { flags: 1, ..sound() },
        Entry { method: DEFLATED, ..sound() },
    ];
    for entry in wrong {
        let what = (entry.method, entry.flags, entry.checksum);
        fs::write(&path, archive(&[entry])).unwrap();
        let error = refused(&path, &ReadOptions::default());
        let told = matches!(error, NpzError::Archive { .. } | NpzError::Read { .. } | NpzError::Header { .. });
        assert!(told, "{what:?}: {error}");
    }
    // A directory of 65 535 files of which there is one, and one that begins behind the end: how much of it is found all
    // the same is the affair of whoever reads archives.
    let bytes = archive(&[sound()]);
    let end = bytes.len() - 22;
    for (at, lie) in [(8, &[0xff_u8; 4][..]), (16, &[0xf0, 0xff, 0xff, 0x7f])] {
        let mut lying = bytes.clone();
        lying[end + at..end + at + 4].copy_from_slice(lie);
        fs::write(&path, lying).unwrap();
        match read_arrays(&path, &ReadOptions::default()) {
            Ok(read) => assert!(read.iter().all(|array| array.values == [0.0; 6]), "{at}: {read:?}"),
            Err(error) => assert!(matches!(error, IoError::Npz { .. }), "{at}: {error}"),
        }
    }
}
