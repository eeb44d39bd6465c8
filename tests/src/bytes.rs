//! The bytes of a file, compressed and damaged, for the readers that have to bear with them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// `bytes` as gzip writes them.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Every beginning of `bytes`, and `bytes` with each of its bits flipped.
pub fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).map(|length| bytes[..length].to_vec()).chain(flipped(bytes))
}

/// `bytes` with each of its bits flipped, one after the other.
pub fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_damage_is_done_once() {
        let whole = [0b1010_0000, 7];
        let found: Vec<Vec<u8>> = damaged(&whole).collect();
        assert_eq!(found.len(), 2 + 16);
        let first: [&[u8]; 3] = [&[], &[0b1010_0000], &[0b1010_0001, 7]];
        assert_eq!(found[..3], first);
        assert_eq!(found[17], [0b1010_0000, 0b1000_0111]);
        let differ = |copy: &Vec<u8>| copy.iter().zip(whole).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        assert!(found[2..].iter().all(|copy| copy.len() == 2 && differ(copy) == 1));
    }

    // RFC 1952, section 2.3: two bytes that name the format, one the method; the length of the content comes last.
    #[test]
    fn compressed_bytes_are_a_member_of_gzip() {
        let packed = gzip(&[b'A'; 1000]);
        assert_eq!(packed[..3], [0x1f, 0x8b, 8]);
        assert_eq!(packed[packed.len() - 4..], 1000_u32.to_le_bytes());
        assert!(packed.len() < 100);
    }
}
