//! What agrees passes, what does not is named.

use super::*;

fn trace(entries: &[(&str, bool, &[f32])]) -> Trace {
    let mut trace = Trace::new();
    for (name, gradient, values) in entries {
        trace.push((*name).to_owned(), *gradient, values.to_vec());
    }
    trace
}

const EXACT: Tolerance = Tolerance { values: 1e-4, gradients: 1e-4 };

#[test]
fn the_distance_is_of_the_whole_tensor() {
    // ‖(3, 4)‖ = 5: 5e-4 is allowed
    let expected = trace(&[("output", false, &[3.0, 4.0])]);
    assert_eq!(expected.compare("gpu:0", &trace(&[("output", false, &[3.000_4, 4.0])]), EXACT), Ok(()));
    let far = expected.compare("gpu:0", &trace(&[("output", false, &[3.0, 4.000_6])]), EXACT);
    assert!(matches!(far, Err(ParityError::Apart { size: 5.0, .. })), "{far:?}");
    let lost = expected.compare("gpu:0", &trace(&[("output", false, &[f32::NAN, 4.0])]), EXACT);
    assert!(matches!(lost, Err(ParityError::Apart { .. })), "{lost:?}");
}

#[test]
fn a_gradient_of_rounding_is_judged_by_the_others() {
    let expected = trace(&[("weight", true, &[10.0]), ("bias", true, &[1e-7])]);
    let noise = trace(&[("weight", true, &[10.0]), ("bias", true, &[-5e-7])]);
    assert_eq!(expected.compare("gpu:0", &noise, EXACT), Ok(()));
    // a thousandth of 10, a ten thousandth of that
    let wrong = trace(&[("weight", true, &[10.0]), ("bias", true, &[2e-6])]);
    assert!(expected.compare("gpu:0", &wrong, EXACT).is_err());
    // an output has no such company
    let values = trace(&[("weight", true, &[10.0]), ("bias", false, &[1e-7])]);
    let noise = trace(&[("weight", true, &[10.0]), ("bias", false, &[-5e-7])]);
    assert!(values.compare("gpu:0", &noise, EXACT).is_err());
}

#[test]
fn what_is_missing_or_empty_does_not_pass() {
    let expected = trace(&[("a", false, &[1.0]), ("b", false, &[2.0, 3.0])]);
    for found in [
        trace(&[("a", false, &[1.0])]),
        trace(&[("a", false, &[1.0]), ("c", false, &[2.0, 3.0])]),
        trace(&[("a", false, &[1.0]), ("b", false, &[2.0])]),
    ] {
        let error = expected.compare("gpu:0", &found, EXACT);
        assert!(matches!(error, Err(ParityError::Names { .. })), "{error:?}");
    }
    for values in [[0.0, 0.0], [f32::INFINITY, 1.0]] {
        let empty = trace(&[("a", false, &values)]);
        let error = empty.compare("cpu", &empty, EXACT);
        assert!(matches!(error, Err(ParityError::Nothing { .. })), "{error:?}");
    }
}

#[test]
fn a_second_run_must_have_the_same_bits() {
    let mut calls = 0_u8;
    let error = check(1.0, |_| {
        calls += 1;
        // one unit in the last place further each time
        trace(&[("output", false, &[f32::from_bits(1.0_f32.to_bits() + u32::from(calls))])])
    });
    assert_eq!(error, Err(ParityError::Unsteady { name: "output".to_owned() }));
}

#[test]
fn gradients_have_the_names_of_their_parameters() {
    // y = w·x, so that ∂(c·y)/∂w = c·x with the first constant, 3/16 - 1
    let found = check(1.0, |device| {
        let model = (Param::from_tensor(Tensor::<1>::from_floats([2.0], device)), burn::nn::Relu::new());
        let mut trace = Trace::new();
        trace.forward_backward(&model, vec![("output", model.0.val() * 4.0)]);
        assert_eq!(trace.get("output"), Some([8.0_f32].as_slice()));
        assert_eq!(trace.get("gradient of 0"), Some([4.0 * (3.0 / 16.0 - 1.0)].as_slice()), "{trace:?}");
        assert_eq!(trace.gradient_count(), 1);
        trace
    });
    assert_eq!(found.unwrap()[0], "cpu");
}
