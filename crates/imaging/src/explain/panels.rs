//! Maps of classifiers, which may see a picture in parts or beside a part of it: a panel for each picture that lies in the
//! channels of an input.

use std::ops::Range;

use burn::tensor::Tensor;
use nn_core::explain::{self, ExplainError, Probe, Target};

use super::{HeatMap, occluded, stretched};
use crate::systems::{Classifier, ClassifyNet, View};

/// A heat map, and the channels of the input that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What is seen there, such as `lungs`; `picture` where several branches see parts of it.
    pub name: &'static str,
    /// The channels.
    pub channels: Range<usize>,
    /// What speaks for and against the answer, over all rows and columns.
    pub map: HeatMap,
}

impl Panel {
    /// The pixels that the map lies over, of all pixels of an input.
    pub fn pixels<'a>(&self, input: &'a [f32]) -> &'a [f32] {
        let plane = self.map.height * self.map.width;
        &input[self.channels.start * plane..self.channels.end * plane]
    }
}

/// The names and channels of the panels of some views.
fn panels(views: &[View]) -> Vec<(&'static str, Range<usize>)> {
    let mut found: Vec<(&'static str, Range<usize>)> = Vec::new();
    for view in views {
        match found.iter_mut().find(|(_, channels)| *channels == view.channels) {
            Some((name, _)) => *name = "picture",
            None => found.push((view.name, view.channels.clone())),
        }
    }
    found
}

/// Grad-CAM of each picture, as [`grad_cam`](super::grad_cam) of each branch of the network, where the branch looks: a
/// panel for each picture of an input. Where two branches look at one place, what they say adds up.
///
/// # Shapes
/// - x `[pictures, channels, height, width]`
///
/// # Errors
/// [`ExplainError`] as [`nn_core::explain::grad_cam()`].
pub fn class_maps(network: &impl Classifier, x: &Tensor<4>, target: &Target) -> Result<Vec<Vec<Panel>>, ExplainError> {
    let [pictures, channels, height, width] = x.dims();
    let views = network.views([channels, height, width]);
    let panels = panels(&views);
    let mut sums = vec![vec![vec![0.0; height * width]; panels.len()]; pictures];
    for (number, view) in views.iter().enumerate() {
        let model = |x: Tensor<4>, probe: &Probe<4>| network.run_view(x, None, number, probe);
        let found = explain::grad_cam(&model, x, target)?;
        let [_, _, rows, columns] = found.values.dims();
        let Some(panel) = panels.iter().position(|(_, channels)| *channels == view.channels) else { continue };
        for (sums, map) in sums.iter_mut().zip(found.rows()?) {
            let map = stretched(&map, [rows, columns], [view.rows.len(), view.columns.len()]);
            add(&mut sums[panel], &map, view, width);
        }
    }
    let named = |sums: Vec<Vec<f64>>| -> Vec<Panel> {
        let maps = panels.iter().zip(sums);
        let panel = |((name, channels), sums): (&(&'static str, Range<usize>), Vec<f64>)| Panel {
            name,
            channels: channels.clone(),
            map: HeatMap::of(&sums, height, width),
        };
        maps.map(panel).collect()
    };
    Ok(sums.into_iter().map(named).collect())
}

/// Adds the map of a view where it is in the picture.
fn add(picture: &mut [f64], map: &[f64], view: &View, width: usize) {
    for (row, values) in view.rows.clone().zip(map.chunks_exact(view.columns.len().max(1))) {
        let line = &mut picture[row * width..][view.columns.clone()];
        if view.mirrored {
            line.iter_mut().zip(values.iter().rev()).for_each(|(sum, value)| *sum += value);
        } else {
            line.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
    }
}

/// What each picture's logit loses where a square is covered, as [`occlusion`](super::occlusion): a panel for each
/// picture of an input, each covered by itself.
///
/// # Shapes
/// - x `[pictures, channels, height, width]`
///
/// # Errors
/// [`ExplainError`] as [`occlusion`](super::occlusion).
pub fn covered_maps(
    network: &impl Classifier,
    x: &Tensor<4>,
    target: &Target,
    [window, stride]: [usize; 2],
    cover: f64,
) -> Result<Vec<Vec<Panel>>, ExplainError> {
    let [pictures, channels, height, width] = x.dims();
    let panels = panels(&network.views([channels, height, width]));
    let each = (channels / panels.len().max(1)).max(1);
    let model = |x: Tensor<4>| network.logits(x, None);
    let losses = occluded(&model, x, target, [each, window, stride], cover)?; // [pictures, channels, height, width]
    let losses = losses.try_into_vec_as::<f64>()?;
    let plane = height * width;
    // All channels of one picture have the loss of the squares over it.
    let panel = |picture: usize, (name, channels): &(&'static str, Range<usize>), all: usize| {
        let values = &losses[(picture * all + channels.start) * plane..][..plane];
        Panel { name, channels: channels.clone(), map: HeatMap::of(values, height, width) }
    };
    Ok((0..pictures).map(|picture| panels.iter().map(|found| panel(picture, found, channels)).collect()).collect())
}

/// Where a network with soft attention looked at each picture: its own shares, scaled up. `None` for any other network.
///
/// # Shapes
/// - x `[pictures, channels, height, width]`
///
/// # Errors
/// [`ExplainError::Read`] when the device gives no values.
pub fn attention_maps(network: &ClassifyNet, x: &Tensor<4>) -> Result<Option<Vec<Vec<Panel>>>, ExplainError> {
    let ClassifyNet::SoftAttention(net) = network else { return Ok(None) };
    let [_, channels, height, width] = x.dims();
    let (_, shares) = net.attend(x.clone(), None); // [pictures, height', width']
    let [_, rows, columns] = shares.dims();
    let shares = shares.try_into_vec_as::<f64>()?;
    let map = |shares: &[f64]| {
        let map = HeatMap::of_shares(shares, [rows, columns], height, width);
        vec![Panel { name: "picture", channels: 0..channels, map }]
    };
    Ok(Some(shares.chunks((rows * columns).max(1)).map(map).collect()))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use nn_core::data::rng;

    use super::*;
    use crate::explain::{grad_cam, occlusion};
    use crate::systems::ClassifyConfig;
    use crate::systems::golden::{filled, input};
    use crate::systems::knee::{KneeConfig, sides};
    use crate::systems::sdfn::SdfnConfig;

    fn net(config: &ClassifyConfig) -> ClassifyNet {
        filled(config.init(&Device::flex(), &mut rng(1, &[])).unwrap())
    }

    /// One branch: the panel is the map of the whole picture, of either method.
    #[test]
    fn a_network_without_branches_has_one_panel() {
        let net = net(&ClassifyConfig::named("ild-cnn").unwrap().with_shape(2, 3));
        let x = input::<4>("panels", [2, 2, 16, 20]);
        let target = Target::Each(vec![0, 2]);
        let panels = class_maps(&net, &x, &target).unwrap();
        let expected = grad_cam(&|x: Tensor<4>, probe: &Probe<4>| net.run(x, None, probe), &x, &target).unwrap();
        for (panels, expected) in panels.iter().zip(&expected) {
            assert_eq!((panels.len(), panels[0].name, panels[0].channels.clone()), (1, "picture", 0..2));
            // 1e-5: divided by the peak in single precision
            let near = |a: &f32, b: &f32| (a - b).abs() < 1e-5;
            assert!(panels[0].map.values.iter().zip(&expected.values).all(|(a, b)| near(a, b)));
        }
        let panels = covered_maps(&net, &x, &target, [4, 2], 0.0).unwrap();
        let expected = occlusion(&|x: Tensor<4>| net.logits(x, None), &x, &target, 4, 2, 0.0).unwrap();
        assert_eq!(panels.iter().map(|panels| panels[0].map.clone()).collect::<Vec<_>>(), expected);
        assert!(attention_maps(&net, &x).unwrap().is_none());
        let pixels: Vec<f32> = (0..2 * 320).map(|at| at as f32).collect();
        assert_eq!(panels[0][0].pixels(&pixels), pixels);
    }

    /// The two sides of a knee lie where they were cut out, the medial one turned back.
    #[test]
    fn the_sides_of_a_knee_lie_in_the_picture() {
        let config = KneeConfig { base: 4, classes: 3, side: 50, ..KneeConfig::default() };
        let net = net(&ClassifyConfig::Knee(config));
        let x = input::<4>("knee.panels", [1, 1, 90, 110]);
        let maps = |grade: usize| class_maps(&net, &x, &Target::All(grade)).unwrap().remove(0);
        let grade = (0..3).find(|&grade| maps(grade)[0].map.peak > 0.0).expect("a grade that something speaks for");
        let panels = maps(grade);
        assert_eq!((panels.len(), panels[0].name), (1, "picture"));
        let ClassifyNet::Knee(knee) = &net else { panic!("the network of knees") };
        let mut expected = vec![0.0; 90 * 110];
        for view in 0..2 {
            let model = |x: Tensor<4>, probe: &Probe<4>| {
                let [lateral, medial] = sides(x, 50);
                let off = Probe::off();
                knee.probed(lateral, medial, None, if view == 0 { [probe, &off] } else { [&off, probe] })
            };
            let found = explain::grad_cam(&model, &x, &Target::All(grade)).unwrap();
            let [_, _, rows, columns] = found.values.dims();
            let map = stretched(&found.rows().unwrap()[0], [rows, columns], [50, 50]);
            for (at, value) in map.iter().enumerate() {
                // squares from row 110 / 3 = 36 on, the right one mirrored
                let (row, column) = (36 + at / 50, at % 50);
                expected[row * 110 + if view == 0 { column } else { 109 - column }] += value;
            }
        }
        let expected = HeatMap::of(&expected, 90, 110);
        assert!((panels[0].map.peak - expected.peak).abs() < 1e-9 * expected.peak);
        assert_eq!(panels[0].map.values, expected.values);
        let covered = covered_maps(&net, &x, &Target::All(grade), [20, 20], 0.0).unwrap().remove(0);
        // Rows above the squares are not looked at.
        assert!(covered[0].map.values[..20 * 110].iter().all(|value| value.abs() < 1e-6));
        assert!(covered[0].map.peak > 0.0);
    }

    #[test]
    fn lungs_have_a_panel_of_their_own() {
        let config = SdfnConfig { base: 8, growth: 4, blocks: [1; 4], ..SdfnConfig::default() };
        let net = net(&ClassifyConfig::Sdfn(config).with_shape(2, 2));
        let x = input::<4>("lung.panels", [2, 2, 32, 40]);
        for panels in [
            class_maps(&net, &x, &Target::All(0)).unwrap(),
            covered_maps(&net, &x, &Target::All(0), [16, 16], 0.0).unwrap(),
        ] {
            assert_eq!(panels.len(), 2);
            for panels in panels {
                let found: Vec<_> = panels.iter().map(|panel| (panel.name, panel.channels.clone())).collect();
                assert_eq!(found, [("whole picture", 0..1), ("lungs", 1..2)]);
            }
        }
        let covered = covered_maps(&net, &x, &Target::All(0), [16, 16], 0.0).unwrap().remove(0);
        assert_ne!(covered[0].map.values, covered[1].map.values, "each picture is covered by itself");
    }

    #[test]
    fn attention_is_what_the_network_says_of_itself() {
        let net = net(&ClassifyConfig::named("soft-attention").unwrap().with_shape(1, 2));
        let x = input::<4>("attention.panels", [2, 1, 16, 24]);
        let panels = attention_maps(&net, &x).unwrap().unwrap();
        let ClassifyNet::SoftAttention(soft) = &net else { panic!("the network with attention") };
        let shares = soft.attend(x, None).1.try_into_vec_as::<f64>().unwrap();
        assert_eq!(panels.len(), 2);
        for (panels, shares) in panels.iter().zip(shares.chunks(6)) {
            assert_eq!(panels[0].map, HeatMap::of_shares(shares, [2, 3], 16, 24));
        }
    }
}
