//! Planes put together: which make one volume, in which order, and what is wrong with them.
//!
//! Slices are ordered by their place along the normal, never by number or name. Where places repeat, the attributes that
//! tell time points, echoes, b-values, … apart are tried alone and together, and the first that gives every volume every
//! place once is taken.

use std::collections::BTreeMap;

use super::faults::{FaultKind, SeriesFault};
use super::plane::{KEYS, Place, Plane, SourceFile};
use super::regrid::Shift;
use super::split::{Split, split};
use crate::geometry::dot;
use crate::volume::SliceFile;

/// Places that are nearer to each other along the normal, in mm, are the same.
pub(super) const SAME_PLACE: f64 = 5e-3;

/// How far, in pixels, a slice may be shifted in its plane against the first one.
const SHIFT: f64 = 0.25;

/// How far the distance of two slices may be from the usual one: a part of it, and in mm, as positions are written with
/// two decimals.
const UNEVEN: (f64, f64) = (0.02, 0.015);

/// How far two of the six numbers of an orientation may be apart: they are rounded to as few as three digits.
const ORIENTATION: f64 = 1e-3;

/// How far two pixel spacings may be apart, as a part of one.
const SPACING: f64 = 1e-3;

/// The planes of one volume.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stack {
    /// Indices of the planes, upwards along the normal.
    pub(super) planes: Vec<usize>,
    /// The place of the first plane; `None` for a picture that has none.
    pub(super) place: Option<Place>,
    /// Where each plane stands against the first.
    pub(super) shifts: Vec<Shift>,
    /// mm between planes: their mean where they are even, the usual one where they are not. `None` for a single plane
    /// that does not say how thick it is.
    pub(super) step: Option<f64>,
    /// Whether the planes are no grid as they are.
    pub(super) resample: bool,
}

/// A series put together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Arranged {
    pub(super) stacks: Vec<Stack>,
    pub(super) faults: Vec<SeriesFault>,
    pub(super) notices: Vec<String>,
}

/// Puts the planes of a series together.
pub(super) fn arrange(files: &[SourceFile], planes: &[Plane]) -> Arranged {
    let mut work = Work { files, planes, result: Arranged::default() };
    work.identities();
    let kept = work.without_copies();
    let (placed, unplaced): (Vec<usize>, Vec<usize>) =
        kept.into_iter().partition(|&index| planes[index].place.is_some());
    if !placed.is_empty() && !unplaced.is_empty() {
        let detail = format!("only {} of {} slices say where they stand", placed.len(), placed.len() + unplaced.len());
        work.fault(FaultKind::Unplaced, detail, &unplaced);
    }
    for group in work.groups(&placed) {
        work.volumes(&group);
    }
    for index in unplaced {
        let shifts = vec![Shift { height: 0.0, plane: [0.0; 2] }];
        work.result.stacks.push(Stack { planes: vec![index], place: None, shifts, step: None, resample: false });
    }
    work.result
}

struct Work<'a> {
    files: &'a [SourceFile],
    planes: &'a [Plane],
    result: Arranged,
}

impl Work<'_> {
    fn slice(&self, index: usize) -> SliceFile {
        slice_file(self.files, &self.planes[index])
    }

    fn fault(&mut self, kind: FaultKind, detail: String, planes: &[usize]) {
        let slices = planes.iter().map(|&index| self.slice(index)).collect();
        self.result.faults.push(SeriesFault { kind, detail, slices });
    }

    /// Whose the files are.
    fn identities(&mut self) {
        type Field = fn(&SourceFile) -> Option<&String>;
        let fields: [(FaultKind, Field); 3] = [
            (FaultKind::MixedPatients, |file| file.patient.as_ref()),
            (FaultKind::MixedStudies, |file| file.study.as_ref()),
            (FaultKind::MixedFramesOfReference, |file| file.frame_of_reference.as_ref()),
        ];
        for (kind, field) in fields {
            let mut found: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
            for (index, file) in self.files.iter().enumerate() {
                if let Some(value) = field(file) {
                    found.entry(value).or_default().push(index);
                }
            }
            if found.len() < 2 {
                continue;
            }
            let detail: Vec<String> =
                found.iter().map(|(value, files)| format!("{value} in {}", count(files.len(), "file"))).collect();
            let most = found.values().map(Vec::len).max().unwrap_or(0);
            // Of several that are as frequent, the first is the rule.
            let rule = found.values().find(|files| files.len() == most).cloned().unwrap_or_default();
            let odd =
                (0..self.files.len()).filter(|index| !rule.contains(index) && field(&self.files[*index]).is_some());
            let slices = odd.map(|index| file_slice(&self.files[index])).collect();
            self.result.faults.push(SeriesFault { kind, detail: detail.join(", "), slices });
        }
    }

    /// The planes of all files but those that are the same object as an earlier one.
    fn without_copies(&mut self) -> Vec<usize> {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let mut copies = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            if !file.instance.is_empty() && *first.entry(&file.instance).or_insert(index) != index {
                copies.push(index);
            }
        }
        if !copies.is_empty() {
            let slices = copies.iter().map(|&index| file_slice(&self.files[index])).collect();
            let detail = format!("{} repeating another of the series", count(copies.len(), "file"));
            self.result.faults.push(SeriesFault { kind: FaultKind::Duplicates, detail, slices });
        }
        (0..self.planes.len()).filter(|&index| copies.binary_search(&self.planes[index].file).is_err()).collect()
    }

    /// Planes that can be in one volume: of the same size, spacing and orientation. The largest group is first.
    fn groups(&mut self, placed: &[usize]) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for &index in placed {
            let plane = &self.planes[index];
            let alike = |group: &&mut Vec<usize>| differences(&self.planes[group[0]], plane).is_empty();
            match groups.iter_mut().find(alike) {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let mut odd: BTreeMap<FaultKind, Vec<usize>> = BTreeMap::new();
        for group in groups.iter().skip(1) {
            for kind in differences(&self.planes[groups[0][0]], &self.planes[group[0]]) {
                odd.entry(kind).or_default().extend(group);
            }
        }
        for (kind, planes) in odd {
            let detail = format!("{} of {} unlike the others", planes.len(), count(placed.len(), "slice"));
            self.fault(kind, detail, &planes);
        }
        groups
    }

    /// The volumes of one group.
    fn volumes(&mut self, group: &[usize]) {
        let Split { volumes, duplicates, notice } = split(self.planes, group);
        if !duplicates.is_empty() {
            let detail = format!(
                "{} where another one is, and no {} tells them apart",
                count(duplicates.len(), "slice"),
                KEYS.join(", ")
            );
            self.fault(FaultKind::Duplicates, detail, &duplicates);
        }
        self.result.notices.extend(notice);
        let most = volumes.iter().map(Vec::len).max().unwrap_or(0);
        let short: Vec<usize> = volumes.iter().filter(|volume| volume.len() < most).map(|volume| volume[0]).collect();
        if !short.is_empty() {
            let detail = format!("{} of {} volumes have fewer than {most} slices", short.len(), volumes.len());
            self.fault(FaultKind::IncompleteVolumes, detail, &short);
        }
        for volume in volumes {
            self.stack(volume);
        }
    }

    /// Measures one volume; its planes are in order.
    fn stack(&mut self, planes: Vec<usize>) {
        let Some(place) = self.planes[planes[0]].place else { return };
        let normal = place.normal();
        let [wide, high] = self.planes[planes[0]].spacing.unwrap_or([1.0; 2]);
        let shifts: Vec<Shift> = planes
            .iter()
            .map(|&index| {
                let position = self.planes[index].place.map_or(place.position, |place| place.position);
                let from = [0, 1, 2].map(|axis| position[axis] - place.position[axis]);
                Shift {
                    height: dot(from, normal),
                    plane: [dot(from, place.across) / wide, dot(from, place.down) / high],
                }
            })
            .collect();
        let before = self.result.faults.len();
        self.check_shifts(&planes, &shifts, [wide, high]);
        let Plane { between, thickness, .. } = self.planes[planes[0]];
        let step = if planes.len() > 1 { Some(self.check_gaps(&planes, &shifts)) } else { between.or(thickness) };
        let resample = self.result.faults.len() > before;
        if let (Some(step), Some(between)) = (step, between)
            && !resample
            && (step - between).abs() > tolerance(step)
        {
            let text = "mm apart by their positions, which were used; SpacingBetweenSlices says";
            self.result.notices.push(format!("slices are {step:.4} {text} {between:.4}"));
        }
        self.result.stacks.push(Stack { planes, place: Some(place), shifts, step, resample });
    }

    /// Whether slices are shifted in their plane.
    fn check_shifts(&mut self, planes: &[usize], shifts: &[Shift], spacing: [f64; 2]) {
        let size = |shift: [f64; 2]| shift[0].abs().max(shift[1].abs());
        let Some(last) = shifts.last().copied() else { return };
        if shifts.iter().all(|shift| size(shift.plane) <= SHIFT) {
            return;
        }
        let straight = shifts.iter().all(|shift| {
            let part = if last.height > 0.0 { shift.height / last.height } else { 0.0 };
            size([0, 1].map(|axis| shift.plane[axis] - part * last.plane[axis])) <= SHIFT
        });
        if straight {
            let along = (last.plane[0] * spacing[0]).hypot(last.plane[1] * spacing[1]);
            let degrees = along.atan2(last.height).to_degrees();
            let detail = format!(
                "the slices follow each other at {degrees:.2}° to their normal, {along:.2} mm over {} slices",
                planes.len()
            );
            self.fault(FaultKind::Tilt, detail, &[planes[0], planes[planes.len() - 1]]);
        } else {
            let odd: Vec<usize> = planes
                .iter()
                .zip(shifts)
                .filter(|(_, shift)| size(shift.plane) > SHIFT)
                .map(|(&index, _)| index)
                .collect();
            let detail = format!("{} shifted in their own plane against the first", count(odd.len(), "slice"));
            self.fault(FaultKind::Shifts, detail, &odd);
        }
    }

    /// Whether the distances are even; returns their mean, or the usual one where they are not.
    fn check_gaps(&mut self, planes: &[usize], shifts: &[Shift]) -> f64 {
        let gaps: Vec<f64> = shifts.windows(2).map(|pair| pair[1].height - pair[0].height).collect();
        let mut sorted = gaps.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted[(sorted.len() - 1) / 2];
        let (mut missing, mut sides, mut uneven) = (0_usize, Vec::new(), Vec::new());
        for (at, &gap) in gaps.iter().enumerate() {
            let times = (gap / usual).round();
            if (gap - usual).abs() <= tolerance(usual) {
                continue;
            }
            if times >= 2.0 && (gap - times * usual).abs() <= times * tolerance(usual) {
                missing = missing.saturating_add(times as usize - 1);
                sides.extend([planes[at], planes[at + 1]]);
            } else {
                uneven.extend([planes[at], planes[at + 1]]);
            }
        }
        if missing > 0 {
            let detail =
                format!("{} missing where {usual:.4} mm is the usual distance, between", count(missing, "slice"));
            self.fault(FaultKind::MissingSlices, detail, &sides);
        }
        if !uneven.is_empty() {
            let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
            let detail = format!("the distances are {low:.4} to {high:.4} mm where {usual:.4} mm is the usual one, at");
            self.fault(FaultKind::UnevenGaps, detail, &uneven);
        }
        if missing == 0 && uneven.is_empty() { shifts[shifts.len() - 1].height / gaps.len() as f64 } else { usual }
    }
}

/// `1 slice`, `2 slices`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn tolerance(usual: f64) -> f64 {
    (UNEVEN.0 * usual).max(UNEVEN.1)
}

/// What keeps two planes from being in one volume.
fn differences(a: &Plane, b: &Plane) -> Vec<FaultKind> {
    let mut kinds = Vec::new();
    if a.localiser != b.localiser {
        kinds.push(FaultKind::Localisers);
    }
    if (a.columns, a.rows) != (b.columns, b.rows) {
        kinds.push(FaultKind::MixedSizes);
    }
    let near = |a: [f64; 2], b: [f64; 2]| a.iter().zip(b).all(|(&a, b)| (a - b).abs() <= SPACING * a);
    if !a.spacing.zip(b.spacing).map_or(a.spacing.is_none() && b.spacing.is_none(), |(a, b)| near(a, b)) {
        kinds.push(FaultKind::MixedSpacings);
    }
    let parallel = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(&a, b)| (a - b).abs() <= ORIENTATION);
    if let (Some(a), Some(b)) = (a.place, b.place)
        && !(parallel(a.across, b.across) && parallel(a.down, b.down))
    {
        kinds.push(FaultKind::MixedOrientations);
    }
    kinds
}

/// The file and frame of a plane.
pub(super) fn slice_file(files: &[SourceFile], plane: &Plane) -> SliceFile {
    SliceFile { frame: plane.frame, ..file_slice(&files[plane.file]) }
}

fn file_slice(file: &SourceFile) -> SliceFile {
    SliceFile { path: file.path.clone(), frame: 0, instance: file.instance.clone() }
}
