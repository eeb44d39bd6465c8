//! What segments mean: names of labels to concepts of SNOMED CT, and colours.
//!
//! The concepts are those of DICOM's context groups 7150, 7151 and 7166 and their like (PS3.16), as the code dictionary
//! of pydicom lists them.

use super::super::derived::Code;

/// Names of labels, in lower case, with their concept. The first whose words all occur in a name is taken.
const ANATOMY: [(&str, &str, &str); 32] = [
    ("hippocampus", "5366008", "Hippocampus"),
    ("left ventricle", "87878005", "Left ventricle"),
    ("right ventricle", "53085002", "Right ventricle"),
    ("left atrium", "82471001", "Left atrium"),
    ("white matter", "389080008", "White Matter"),
    ("cerebrospinal fluid", "65216001", "Cerebrospinal Fluid"),
    ("csf", "65216001", "Cerebrospinal Fluid"),
    ("spinal cord", "2748008", "Spinal cord"),
    ("lymph node", "59441001", "Lymph Node"),
    ("blood vessel", "59820001", "Blood Vessel"),
    ("vessel", "59820001", "Blood Vessel"),
    ("brain", "12738006", "Brain"),
    ("liver", "10200004", "Liver"),
    ("kidney", "64033007", "Kidney"),
    ("spleen", "78961009", "Spleen"),
    ("pancreas", "15776009", "Pancreas"),
    ("gallbladder", "28231008", "Gallbladder"),
    ("stomach", "69695003", "Stomach"),
    ("bladder", "89837001", "Bladder"),
    ("prostate", "41216001", "Prostate"),
    ("colon", "71854001", "Colon"),
    ("esophagus", "32849002", "Esophagus"),
    ("oesophagus", "32849002", "Esophagus"),
    ("trachea", "44567001", "Trachea"),
    ("thyroid", "69748006", "Thyroid"),
    ("lung", "39607008", "Lung"),
    ("heart", "80891009", "Heart"),
    ("aorta", "15825003", "Aorta"),
    ("breast", "76752008", "Breast"),
    ("retina", "5665001", "Retina"),
    ("vertebra", "51282000", "Vertebra"),
    ("cartilage", "309312004", "Cartilage"),
];

/// As [`ANATOMY`], for what should not be there: it is looked for first, so that a liver tumour is a tumour.
const FINDINGS: [(&str, &str, &str); 14] = [
    ("neoplasm", "108369006", "Neoplasm"),
    ("tumour", "108369006", "Neoplasm"),
    ("tumor", "108369006", "Neoplasm"),
    ("cancer", "108369006", "Neoplasm"),
    ("oedema", "79654002", "Edema"),
    ("edema", "79654002", "Edema"),
    ("necrosis", "6574001", "Necrosis"),
    ("haemorrhage", "50960005", "Hemorrhage"),
    ("hemorrhage", "50960005", "Hemorrhage"),
    ("nodule", "27925004", "Nodule"),
    ("cyst", "367643001", "Cyst"),
    ("lesion", "52988006", "Lesion"),
    ("lesions", "52988006", "Lesion"),
    ("mass", "4147007", "Mass"),
];

/// Colours that are told apart, one label after another.
const PALETTE: [[u8; 3]; 12] = [
    [230, 60, 50],
    [60, 160, 230],
    [240, 200, 50],
    [90, 200, 90],
    [190, 90, 210],
    [250, 140, 40],
    [60, 200, 200],
    [240, 120, 180],
    [160, 120, 70],
    [120, 120, 240],
    [180, 220, 80],
    [150, 150, 150],
];

/// Category and type of what a label is named after; tissue, if nothing in the name is known.
pub(super) fn concept(name: &str) -> (Code, Code) {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let find = |table: &[(&str, &str, &str)]| {
        let found = table.iter().find(|(known, _, _)| known.split(' ').all(|word| words.contains(&word)));
        found.map(|(_, value, meaning)| Code::new(value, "SCT", meaning))
    };
    if let Some(finding) = find(&FINDINGS) {
        return (Code::new("49755003", "SCT", "Morphologically Abnormal Structure"), finding);
    }
    match find(&ANATOMY) {
        Some(organ) => (Code::new("91723000", "SCT", "Anatomical Structure"), organ),
        None => (Code::new("85756007", "SCT", "Tissue"), Code::new("85756007", "SCT", "Tissue")),
    }
}

/// The colour of the label of this number, from 1.
pub(super) fn colour(label: usize) -> [u8; 3] {
    PALETTE[label.saturating_sub(1) % PALETTE.len()]
}

/// CIE's white of daylight at 6500 K, which sRGB is defined with.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

/// sRGB (IEC 61966-2-1) to CIE XYZ, row by row.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.412_456_4, 0.357_576_1, 0.180_437_5],
    [0.212_672_9, 0.715_152_2, 0.072_175_0],
    [0.019_333_9, 0.119_192_0, 0.950_304_1],
];

/// Its inverse.
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.240_454_2, -1.537_138_5, -0.498_531_4],
    [-0.969_266_0, 1.876_010_8, 0.041_556_0],
    [0.055_643_4, -0.204_025_9, 1.057_225_2],
];

/// Where CIE L\*a\*b\* goes over from a cube root to a line.
const EDGE: f64 = 6.0 / 29.0;

/// A colour as DICOM writes it (PS3.3, C.10.7.1.1): L\* of 0 to 100, a\* and b\* of -128 to 127, on 0 to 65535.
pub(super) fn to_cielab(rgb: [u8; 3]) -> [u16; 3] {
    let linear = rgb.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let [x, y, z] = [0, 1, 2].map(|row| {
        let part = product(&TO_XYZ[row], linear) / WHITE[row];
        if part > EDGE.powi(3) { part.cbrt() } else { part / (3.0 * EDGE * EDGE) + 4.0 / 29.0 }
    });
    let scaled = |value: f64| value.round().clamp(0.0, 65_535.0) as u16;
    let lightness = scaled((116.0 * y - 16.0) * 655.35);
    [lightness, scaled((500.0 * (x - y) + 128.0) * 257.0), scaled((200.0 * (y - z) + 128.0) * 257.0)]
}

/// The colour that [`to_cielab`] wrote; colours that no screen shows become the nearest that it does.
pub(super) fn from_cielab(lab: [u16; 3]) -> [u8; 3] {
    let y = (f64::from(lab[0]) / 655.35 + 16.0) / 116.0;
    let x = y + (f64::from(lab[1]) / 257.0 - 128.0) / 500.0;
    let z = y - (f64::from(lab[2]) / 257.0 - 128.0) / 200.0;
    let mut xyz = [x, y, z];
    for (value, white) in xyz.iter_mut().zip(WHITE) {
        let part = if *value > EDGE { value.powi(3) } else { 3.0 * EDGE * EDGE * (*value - 4.0 / 29.0) };
        *value = part * white;
    }
    [0, 1, 2].map(|row| {
        let value = product(&FROM_XYZ[row], xyz);
        let value = if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
        (value * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

fn product(row: &[f64; 3], column: [f64; 3]) -> f64 {
    row.iter().zip(column).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_highdicom() {
        // highdicom 0.28: CIELabColor.from_rgb(…).value; its matrix differs in the fourth digit
        let known = [
            ([255, 0, 0], [34_886, 53_484, 50_172]),
            ([0, 255, 0], [57_498, 10_747, 54_274]),
            ([12, 200, 97], [46_558, 16_507, 43_123]),
            ([255, 255, 255], [65_535, 32_897, 32_893]),
            ([0, 0, 0], [0, 32_896, 32_896]),
            ([128, 174, 128], [43_803, 26_565, 37_722]),
        ];
        for (rgb, lab) in known {
            let found = to_cielab(rgb);
            for (found, known) in found.iter().zip(lab) {
                assert!((i32::from(*found) - known).abs() <= 6, "{rgb:?} {found} {known}");
            }
            assert_eq!(from_cielab(found), rgb);
        }
    }

    #[test]
    fn every_colour_of_the_palette_survives() {
        for label in 1..=24 {
            assert_eq!(from_cielab(to_cielab(colour(label))), colour(label));
        }
    }

    #[test]
    fn names_are_recognised_by_their_words() {
        let (category, kind) = concept("Anterior hippocampus");
        assert_eq!((category.meaning.as_str(), kind.value.as_str()), ("Anatomical Structure", "5366008"));
        let (category, kind) = concept("liver_tumour");
        assert_eq!((category.value.as_str(), kind.meaning.as_str()), ("49755003", "Neoplasm"));
        assert_eq!(concept("gallbladder").1.meaning, "Gallbladder");
        // "slung" is no lung
        assert_eq!(concept("slung").1.meaning, "Tissue");
        assert_eq!(concept("left heart ventricle").1.meaning, "Left ventricle");
        assert_eq!(concept("").1.meaning, "Tissue");
    }
}
