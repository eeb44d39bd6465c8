//! Archives, whole and damaged.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A header as Python's `tarfile` writes it (ustar).
fn header(name: &str, size: usize, kind: u8) -> Vec<u8> {
    let mut header = vec![0_u8; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[263..265].copy_from_slice(b"00");
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum::<u64>() + 8 * u64::from(b' ');
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn member(name: &str, body: &str, kind: u8) -> Vec<u8> {
    let mut bytes = header(name, body.len(), kind);
    bytes.extend_from_slice(body.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn listed(bytes: &[u8]) -> Result<Vec<(String, String)>, IoError> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("a.tar");
    fs::write(&path, bytes).unwrap();
    let mut found = Vec::new();
    each_file(&path, &mut |name, body| {
        let mut text = String::new();
        body.take(3).read_to_string(&mut text).map_err(IoError::read(Path::new(name)))?;
        found.push((name.to_owned(), text));
        Ok(())
    })?;
    Ok(found)
}

fn sample() -> Vec<u8> {
    let long = "x".repeat(150) + ".json";
    let pax = format!("{} path={long}\n", 10 + long.len());
    let mut bytes = member("folder/", "", b'5');
    bytes.extend(member("folder/a.json", "abcdef", b'0'));
    bytes.extend(member("folder/._a.json", "hidden", b'0'));
    bytes.extend(member("empty.json", "", b'0'));
    bytes.extend(member("pax", &pax, b'x'));
    bytes.extend(member("short", "12", b'0'));
    bytes.extend(member("././@LongLink", &format!("{long}\0"), b'L'));
    bytes.extend(member("short", &"z".repeat(BLOCK), 0));
    bytes.extend(vec![0; 2 * BLOCK]);
    bytes
}

#[test]
fn files_come_in_order_under_their_names() {
    let long = "x".repeat(150) + ".json";
    let expected = [("folder/a.json", "abc"), ("empty.json", ""), (&*long, "12"), (&*long, "zzz")];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(listed(&sample()).unwrap(), expected);
    assert!(is_archive("R4_100_bundles.TAR.GZ") && is_archive("a.tgz") && !is_archive("a.json.gz"));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let bytes = sample();
    assert!(listed(&bytes[..BLOCK + 100]).unwrap_err().to_string().contains("ends within a header"));
    assert!(listed(&bytes[..2 * BLOCK + 3]).unwrap_err().to_string().contains("ends within a file"));
    assert!(listed(b"no archive at all, yet longer than nothing").is_err());
    let mut huge = header("huge", 0, b'0');
    huge[124..136].copy_from_slice(b"777777777777");
    let sum: u64 = huge.iter().enumerate().filter(|(at, _)| !(148..156).contains(at)).map(|(_, b)| u64::from(*b)).sum();
    huge[148..156].copy_from_slice(format!("{:06o}\0 ", sum + 256).as_bytes());
    assert!(listed(&huge).unwrap_err().to_string().contains("ends within a file"));
    for length in (0..bytes.len()).step_by(7) {
        let _ = listed(&bytes[..length]);
    }
    // Bits of the first headers.
    for bit in (0..8 * BLOCK * 2).step_by(3) {
        let mut copy = bytes.clone();
        copy[bit / 8] ^= 1 << (bit % 8);
        let _ = listed(&copy);
    }
}
