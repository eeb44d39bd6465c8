//! Alignment files to test with, put together byte by byte (SAM specification, section 4.2) and compressed with
//! noodles; nothing of its record codec is used.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use genomics::io::bam::AlignedRead;
use noodles::bgzf;
use tempfile::TempDir;

/// A record to write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw {
    pub(crate) name: String,
    pub(crate) flags: u16,
    /// Contig and 0-based position; −1 for none.
    pub(crate) place: (i32, i32),
    pub(crate) quality: u8,
    pub(crate) cigar: Vec<(char, u32)>,
    pub(crate) mate: (i32, i32),
    pub(crate) length: i32,
}

fn operation(&(letter, bases): &(char, u32)) -> u32 {
    (bases << 4) | "MIDNSHP=X".find(letter).unwrap() as u32
}

impl Raw {
    /// As BAM; a CIGAR of more than 65,535 operations goes to its tag (section 4.2.2).
    fn bam(&self) -> Vec<u8> {
        let bases: u32 =
            self.cigar.iter().filter(|(letter, _)| "MIS=X".contains(*letter)).map(|(_, bases)| bases).sum();
        let spanned: u32 =
            self.cigar.iter().filter(|(letter, _)| "MDN=X".contains(*letter)).map(|(_, bases)| bases).sum();
        let long = self.cigar.len() > 0xffff;
        let packed: Vec<u32> = if long {
            [('S', bases), ('N', spanned)].iter().map(operation).collect()
        } else {
            self.cigar.iter().map(operation).collect()
        };
        let mut record = Vec::new();
        let mut int = |value: i32| record.extend(value.to_le_bytes());
        int(self.place.0);
        int(self.place.1);
        int(((4680_u32 << 16) | (u32::from(self.quality) << 8) | (self.name.len() as u32 + 1)) as i32);
        int(((u32::from(self.flags) << 16) | packed.len() as u32) as i32);
        int(bases as i32);
        int(self.mate.0);
        int(self.mate.1);
        int(self.length);
        record.extend(self.name.as_bytes());
        record.push(0);
        packed.iter().for_each(|operation| record.extend(operation.to_le_bytes()));
        record.extend(vec![0x11; bases.div_ceil(2) as usize]);
        record.extend(vec![0xff; bases as usize]);
        record.extend(b"NMC\x01");
        if long {
            record.extend(b"CGBI");
            record.extend((self.cigar.len() as u32).to_le_bytes());
            self.cigar.iter().for_each(|one| record.extend(operation(one).to_le_bytes()));
        }
        let mut sized = (record.len() as u32).to_le_bytes().to_vec();
        sized.extend(record);
        sized
    }

    /// As a line of SAM, without a sequence.
    pub(crate) fn sam(&self, contigs: &[(&str, u32)]) -> String {
        let name = |place: i32| usize::try_from(place).map_or("*", |place| contigs[place].0);
        let cigar: String = self.cigar.iter().map(|(letter, bases)| format!("{bases}{letter}")).collect();
        let cigar = if cigar.is_empty() { "*".to_owned() } else { cigar };
        format!(
            "{}\t{}\t{}\t{}\t{}\t{cigar}\t{}\t{}\t{}\t*\t*\n",
            self.name,
            self.flags,
            name(self.place.0),
            self.place.1 + 1,
            self.quality,
            name(self.mate.0),
            self.mate.1 + 1,
            self.length
        )
    }

    pub(super) fn read(&self) -> AlignedRead {
        AlignedRead {
            contig: usize::try_from(self.place.0).ok(),
            start: i64::from(self.place.1),
            flags: self.flags,
            mapping_quality: self.quality,
            mate_contig: usize::try_from(self.mate.0).ok(),
            mate_start: i64::from(self.mate.1),
            template_length: i64::from(self.length),
            name: self.name.clone().into_bytes(),
            cigar: self.cigar.iter().map(operation).collect(),
        }
    }
}

pub(crate) fn header(contigs: &[(&str, u32)], order: &str) -> String {
    let lines: String = contigs.iter().map(|(name, length)| format!("@SQ\tSN:{name}\tLN:{length}\n")).collect();
    format!("@HD\tVN:1.6\tSO:{order}\n{lines}")
}

pub(super) fn plain(text: &str, contigs: &[(&str, u32)], records: &[Raw]) -> Vec<u8> {
    let mut bytes = b"BAM\x01".to_vec();
    let int = |value: usize, bytes: &mut Vec<u8>| bytes.extend((value as u32).to_le_bytes());
    int(text.len(), &mut bytes);
    bytes.extend(text.as_bytes());
    int(contigs.len(), &mut bytes);
    for (name, length) in contigs {
        int(name.len() + 1, &mut bytes);
        bytes.extend(name.as_bytes());
        bytes.push(0);
        int(*length as usize, &mut bytes);
    }
    records.iter().for_each(|record| bytes.extend(record.bam()));
    bytes
}

pub(super) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut writer = bgzf::io::Writer::new(Vec::new());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn bam(contigs: &[(&str, u32)], order: &str, records: &[Raw]) -> Vec<u8> {
    packed(&plain(&header(contigs, order), contigs, records))
}

/// Writes `bytes` to a file of a temporary folder.
pub(crate) fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}
