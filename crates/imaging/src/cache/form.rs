//! A prepared case as bytes.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::case::Case;
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Modality, Source, Units, Volume};

/// What a file begins with.
const MARK: &[u8; 8] = b"GALENCAS";
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 32;
/// Voxels that are written at a time.
const PIECE: usize = 1 << 14;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    id: String,
    subject: String,
    channels: Vec<Channel>,
    label: Option<Label>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    geometry: Geometry,
    modality: Modality,
    units: Units,
    source: Source,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    geometry: Geometry,
    names: Vec<String>,
}

/// Writes what it sums.
struct Summed<'a, W> {
    file: &'a mut W,
    digest: Sha256,
}

impl<W: Write> Summed<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }
}

/// Writes a case.
pub(super) fn encode(case: &Case, file: &mut impl Write) -> io::Result<()> {
    let sum = put(case, file)?;
    file.write_all(&sum)
}

/// The checksum of all that is written of a case.
pub(super) fn checksum(case: &Case) -> io::Result<[u8; CHECKSUM]> {
    put(case, &mut io::sink())
}

/// Writes a case without its checksum, which comes back.
fn put(case: &Case, file: &mut impl Write) -> io::Result<[u8; CHECKSUM]> {
    let channel = |volume: &Volume| Channel {
        geometry: volume.geometry.clone(),
        modality: volume.modality,
        units: volume.units.clone(),
        source: volume.source.clone(),
    };
    let header = Header {
        id: case.id.clone(),
        subject: case.subject.clone(),
        channels: case.channels.iter().map(channel).collect(),
        label: case.label.as_ref().map(|map| Label { geometry: map.geometry.clone(), names: map.names.clone() }),
    };
    let header = serde_json::to_vec(&header).map_err(io::Error::other)?;
    let mut out = Summed { file, digest: Sha256::new() };
    out.put(MARK)?;
    out.put(&(header.len() as u64).to_le_bytes())?;
    out.put(&header)?;
    for volume in &case.channels {
        for piece in volume.voxels.chunks(PIECE) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            out.put(&bytes)?;
        }
    }
    if let Some(map) = &case.label {
        out.put(&map.labels)?;
    }
    Ok(out.digest.finalize().into())
}

/// The case that bytes hold; `None` if they are not whole.
pub(super) fn decode(bytes: &[u8]) -> Option<Case> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    if Sha256::digest(content)[..] != *sum {
        return None;
    }
    let rest = content.strip_prefix(MARK)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (header, mut rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    let mut take = |count: usize| {
        let (part, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some(part)
    };
    let mut channels = Vec::with_capacity(header.channels.len());
    for channel in header.channels {
        let geometry = checked(channel.geometry)?;
        let voxels = take(geometry.len().checked_mul(size_of::<f32>())?)?;
        let voxels =
            voxels.chunks_exact(4).map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]])).collect();
        let mut volume = Volume::new(voxels, geometry).ok()?;
        (volume.modality, volume.units, volume.source) = (channel.modality, channel.units, channel.source);
        channels.push(volume);
    }
    let label = match header.label {
        Some(label) => {
            let geometry = checked(label.geometry)?;
            Some(LabelMap::new(take(geometry.len())?.to_vec(), geometry, label.names).ok()?)
        }
        None => None,
    };
    if !rest.is_empty() {
        return None;
    }
    Case::new(header.id, header.subject, channels, label).ok()
}

/// A grid whose numbers make one.
fn checked(geometry: Geometry) -> Option<Geometry> {
    Geometry::new(geometry.size, geometry.spacing, geometry.origin, geometry.direction).ok()
}
